/**
 * The vault against a model of Maps, under random actions.
 *
 * Invariants, checked after every reopening and at the end: (1) every branch holds what the model's holds; (2) every
 * seq of every branch's past, across forks and restores, shows what the model held then; (3) names and snapshots are
 * the model's, but for snapshots that were forgotten; (4) a commit that was undone on a full disk left no trace; (5) all of it, however the vault was closed:
 * cleanly, with or without checkpoints, or by copying its files while it was open, as a crash leaves them; (6) all of it
 * whatever was collected meanwhile, and after a collection that nothing ran beside no page is left that nothing needs.
 */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rmSync } from "node:fs";
import { it } from "node:test";
import * as fc from "fast-check";
import { Vault } from "../../vault/index.ts";
import type { Branch, BranchId, Op, Point, View } from "../../vault/index.ts";
import { seed } from "../support/random-runs.ts";
import { FaultyFiles, bytes, code, contentOf, vaultOptions } from "../support/temp-vault.ts";

type Content = ReadonlyMap<string, string>;

/** One branch of the model: what it held from each seq on. */
interface ModelBranch {
  readonly past: { seq: number; content: Content }[];
  readonly parent: { id: BranchId; seq: number } | undefined;
  readonly snapshots: { label: string; seq: number; content: Content }[];
}

type Pick = number;
interface PastCommand {
  readonly do: "fork past" | "restore";
  readonly on: Pick;
  readonly from: Pick;
  /** Which point: a snapshot if there is one and it is even, else a seq. */
  readonly back: Pick;
}
type Command =
  | { readonly do: "write"; readonly on: Pick; readonly ops: readonly [key: number, value: number][] }
  | { readonly do: "create" | "checkpoint" | "collect" | "reopen" | "crash"; readonly on: Pick }
  | { readonly do: "fork" | "snapshot" | "forget" | "drop" | "name" | "fail"; readonly on: Pick }
  | PastCommand;

const pick = fc.nat(1000);
const ops = fc.array(fc.tuple(fc.nat(11), fc.nat(99)), { minLength: 1, maxLength: 6 });
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant("write" as const), on: pick, ops }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("create" as const, "checkpoint" as const), on: pick }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("reopen" as const, "crash" as const), on: pick }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("collect" as const, "forget" as const), on: pick }) },
  {
    weight: 7,
    arbitrary: fc.record({ do: fc.constantFrom("fork" as const, "snapshot" as const, "name" as const), on: pick }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("drop" as const, "fail" as const), on: pick }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom("fork past" as const, "restore" as const),
      on: pick,
      from: pick,
      back: pick,
    }),
  },
);

/** Runs commands against a vault and the model side by side. */
class Twin {
  readonly #files: FaultyFiles;
  readonly #branches = new Map<BranchId, ModelBranch>();
  readonly #names = new Map<string, BranchId>();
  readonly #folders: string[] = [];
  #vault: Vault;
  #background: Promise<unknown> = Promise.resolve();
  #count = 0;

  private constructor(vault: Vault, files: FaultyFiles, path: string) {
    this.#vault = vault;
    this.#files = files;
    this.#folders.push(path);
  }

  static async start(): Promise<Twin> {
    const path = mkdtempSync(join(tmpdir(), "planaria-model-"));
    const files = new FaultyFiles();
    return new Twin(await Vault.open(smallVault(path, files)), files, path);
  }

  async run(command: Command): Promise<void> {
    this.#count++;
    const branch = this.#pick(command.on);
    if (command.do === "create" || branch === undefined) return this.#create();
    switch (command.do) {
      case "write":
        return this.#write(branch, command.ops.map(opOf));
      case "fork":
        return this.#adopt(
          this.#vault.fork(branch),
          { id: branch.id, seq: this.#vault.stats().seq - 1 },
          this.#head(branch.id),
        );
      case "fork past":
      case "restore":
        return this.#fromPast(branch, command);
      case "snapshot":
        return this.#snapshot(branch, `s${this.#count}`);
      case "forget":
        return this.#forget(branch);
      case "name":
        return this.#name(branch);
      case "drop":
        return this.#drop(branch);
      case "fail":
        return this.#fail(branch);
      case "checkpoint":
        return this.#checkpoint();
      case "collect":
        return this.#collect();
      case "reopen":
        return this.#reopen(this.#folders.at(-1)!);
      case "crash":
        return this.#crash(command.on % 2 === 0);
    }
  }

  async check(): Promise<void> {
    const vault = this.#vault;
    assert.equal(vault.stats().branches, this.#branches.size);
    const names = [...this.#names].map(([name, branch]) => ({ name, branch }));
    assert.deepEqual(
      vault.names(),
      names.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    );
    for (const [id, model] of this.#branches) {
      const branch = vault.branch(id)!;
      assert.deepEqual(contentOf(branch), plain(this.#head(id)), `branch ${id}`);
      assert.equal(branch.head, model.past.at(-1)?.seq);
      const snapshots = branch.snapshots().map(({ label, seq }) => ({ label, seq }));
      assert.deepEqual(
        snapshots,
        model.snapshots.map(({ label, seq }) => ({ label, seq: seq as typeof branch.head })),
      );
      for (const { label, content } of model.snapshots) assert.deepEqual(await show(branch, { label }), plain(content));
      for (let seq = 1; seq <= vault.durableSeq; seq++) {
        const expected = this.#at(id, seq);
        if (typeof expected === "string") await assert.rejects(branch.at({ seq }), code(expected), `${id} at ${seq}`);
        else assert.deepEqual(await show(branch, { seq }), plain(expected), `branch ${id} at ${seq}`);
      }
    }
  }

  async end(): Promise<void> {
    await this.#background;
    await this.#vault.close();
    // Views hold their pages until the engine takes them away; a vault that was just opened has none.
    this.#vault = await Vault.open(smallVault(this.#folders.at(-1)!, this.#files));
    await this.#vault.maintenance.collect();
    const { isSound, unreachablePages, problems } = await this.#vault.maintenance.check();
    assert.deepEqual([isSound, unreachablePages, problems], [true, 0, []]);
    await this.check();
    await this.#vault.close();
    for (const path of this.#folders) rmSync(path, { recursive: true, force: true });
  }

  async #create(): Promise<void> {
    const made = this.#vault.create({ ops: [{ put: "made", value: bytes(String(this.#count)) }] });
    await this.#adopt(made, undefined, new Map([["made", String(this.#count)]]));
  }

  async #adopt(made: ReturnType<Vault["create"]>, parent: ModelBranch["parent"], content: Content): Promise<void> {
    await made.commit.durable;
    this.#branches.set(made.branch.id, { past: [{ seq: made.commit.seq, content }], parent, snapshots: [] });
  }

  async #write(branch: Branch, changes: readonly Op[]): Promise<void> {
    const { seq, durable } = this.#vault.commit([{ type: "write", branch: branch.id, ops: changes }]);
    const content = new Map(this.#head(branch.id));
    for (const op of changes) {
      if ("put" in op) content.set(op.put, new TextDecoder().decode(op.value));
      else content.delete(op.delete);
    }
    this.#branches.get(branch.id)!.past.push({ seq, content });
    await durable;
  }

  async #fromPast(branch: Branch, { do: what, from, back }: PastCommand): Promise<void> {
    const source = this.#pick(from)!;
    const model = this.#branches.get(source.id)!;
    const snapshot = back % 2 === 0 ? model.snapshots[back % (model.snapshots.length + 1)] : undefined;
    const seq = snapshot?.seq ?? 1 + (back % this.#vault.durableSeq);
    const content = snapshot?.content ?? this.#at(source.id, seq);
    const point = snapshot === undefined ? { seq } : { label: snapshot.label };
    if (typeof content === "string") return assert.rejects(source.at(point), code(content));
    const view: View = await source.at(point);
    if (what === "fork past") {
      const made = this.#vault.fork(view);
      return this.#adopt(made, { id: made.branch.parent!.branch, seq: made.branch.parent!.seq }, content);
    }
    const before = this.#head(branch.id);
    const commit = this.#vault.restore(branch.id, view);
    const target = this.#branches.get(branch.id)!;
    target.snapshots.push({ label: `before-restore-${commit.seq}`, seq: commit.seq, content: before });
    target.past.push({ seq: commit.seq, content });
    await commit.durable;
  }

  async #snapshot(branch: Branch, label: string): Promise<void> {
    const { seq, durable } = this.#vault.commit([{ type: "snapshot", branch: branch.id, label }]);
    this.#branches.get(branch.id)!.snapshots.push({ label, seq, content: this.#head(branch.id) });
    await durable;
  }

  async #forget(branch: Branch): Promise<void> {
    const { snapshots } = this.#branches.get(branch.id)!;
    const index = this.#count % Math.max(1, snapshots.length);
    const snapshot = branch.snapshots()[index];
    if (snapshot === undefined) return;
    snapshots.splice(index, 1);
    await this.#vault.commit([{ type: "forget", branch: branch.id, label: snapshot.label, seq: snapshot.seq }]).durable;
  }

  async #name(branch: Branch): Promise<void> {
    const name = `n${this.#count % 5}`;
    const target = this.#count % 4 === 0 ? undefined : branch.id;
    await this.#vault.commit([{ type: "name", name, branch: target, expect: this.#names.get(name) }]).durable;
    if (target === undefined) this.#names.delete(name);
    else this.#names.set(name, target);
  }

  async #drop(branch: Branch): Promise<void> {
    await this.#vault.commit([{ type: "drop", branch: branch.id }]).durable;
    this.#branches.delete(branch.id);
    for (const [name, id] of this.#names) if (id === branch.id) this.#names.delete(name);
  }

  /** A handful of commits of all kinds that a full disk takes back. */
  async #fail(branch: Branch): Promise<void> {
    const vault = this.#vault;
    this.#files.plan = (operation) => (operation === "write" ? { error: "ENOSPC" } : undefined);
    const write = { type: "write", branch: branch.id, ops: [{ put: "lost", value: bytes("x") }] } as const;
    const commits = [
      vault.commit([write, { type: "snapshot", branch: branch.id, label: "lost" }]),
      vault.fork(branch, { name: "lost" }).commit,
      vault.commit([write]),
      vault.commit([{ type: "drop", branch: branch.id }]),
    ];
    for (const { durable } of commits) await assert.rejects(durable, code("VAULT_COMMIT_FAILED"));
    this.#files.plan = () => undefined;
    assert.deepEqual(contentOf(branch), plain(this.#head(branch.id)));
  }

  async #reopen(path: string): Promise<void> {
    await this.#background;
    await this.#vault.close();
    await this.#open(path);
  }

  /** Not awaited: the commands that follow run beside it. It may meet the full disk of `#fail`. */
  #checkpoint(): void {
    this.#beside(this.#vault.checkpoint());
  }

  #collect(): void {
    this.#beside(this.#vault.maintenance.collect());
  }

  #beside(work: Promise<unknown>): void {
    const run = work.catch((error: unknown) => void code("VAULT_COMMIT_FAILED")(error));
    this.#background = Promise.all([this.#background, run]);
  }

  /** The files as a crash leaves them: every command has waited for the log, and no page is being written. */
  async #crash(isCheckpointed: boolean): Promise<void> {
    const copy = mkdtempSync(join(tmpdir(), "planaria-model-"));
    this.#folders.push(copy);
    if (isCheckpointed) this.#checkpoint();
    await this.#background;
    const branch = this.#pick(this.#count);
    if (branch !== undefined) await this.#write(branch, [{ put: "crash", value: bytes(String(this.#count)) }]);
    cpSync(this.#folders.at(-2)!, copy, { recursive: true });
    await this.#reopen(copy);
  }

  async #open(path: string): Promise<void> {
    this.#vault = await Vault.open(smallVault(path, this.#files));
    await this.check();
  }

  #pick(no: Pick): Branch | undefined {
    const ids = [...this.#branches.keys()];
    const id = ids[no % Math.max(1, ids.length)];
    return id === undefined ? undefined : this.#vault.branch(id);
  }

  #head(id: BranchId): Content {
    return this.#branches.get(id)!.past.at(-1)!.content;
  }

  #at(id: BranchId, seq: number): Content | "VAULT_POINT_UNKNOWN" | "VAULT_POINT_EXPIRED" {
    const { past, parent } = this.#branches.get(id)!;
    const found = past.findLast((each) => each.seq <= seq);
    if (found !== undefined) return found.content;
    if (parent === undefined) return "VAULT_POINT_UNKNOWN";
    if (!this.#branches.has(parent.id)) return "VAULT_POINT_EXPIRED";
    return this.#at(parent.id, Math.min(seq, parent.seq));
  }
}

function smallVault(path: string, files: FaultyFiles) {
  return vaultOptions(path, { files, segmentBytes: 8192 });
}

function opOf([key, value]: readonly [number, number]): Op {
  return value % 5 === 0 ? { delete: `k${key}` } : { put: `k${key}`, value: bytes(String(value)) };
}

async function show(branch: Branch, point: Point): Promise<Record<string, string>> {
  return contentOf(await branch.at(point));
}

function plain(content: Content): Record<string, string> {
  return Object.fromEntries(content);
}

it("a vault shows what a model of Maps shows, at every point of its past, after any random work", async (t) => {
  t.diagnostic(`SEED=${seed}`);
  const property = fc.asyncProperty(
    fc.array(command, { minLength: 10, maxLength: 60, size: "max" }),
    async (commands) => {
      const twin = await Twin.start();
      try {
        for (const each of commands) await twin.run(each);
        await twin.check();
      } finally {
        await twin.end();
      }
    },
  );
  await fc.assert(property, {
    seed,
    numRuns: Number(process.env["RUNS"] ?? 15),
    endOnFailure: process.env["SHRINK"] === undefined,
  });
});
