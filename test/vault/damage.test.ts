/**
 * Damaged pages in a vault that goes on. Invariants: a damaged page hurts the keys that need it and nobody else; whoever
 * is hurt is named; what is written meanwhile is kept; nothing is ever read wrongly.
 */
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { VaultError } from "../../vault/index.ts";
import type { Branch, Vault, VaultEvent } from "../../vault/index.ts";
import { Chance } from "../support/chance.ts";
import { flipPages, overwrite, storedPages } from "../support/page-file.ts";
import type { StoredPage } from "../support/page-file.ts";
import { seed } from "../support/random-runs.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { bytes, contentOf, eventLog, put, tempFolder, tempVault, text } from "../support/temp-vault.ts";

const KEYS = Array.from({ length: 300 }, (_, i) => `key${String(i).padStart(3, "0")}`);

async function fill(vault: Vault, name: string): Promise<Branch> {
  const ops = KEYS.map((key) => ({ put: key, value: bytes(`${name}-${key}-${"x".repeat(250)}`) }));
  const { branch, commit } = vault.create({ name, ops });
  await commit.durable;
  return branch;
}

function leaves(path: string, arena: number): readonly StoredPage[] {
  return storedPages(join(path, "pages.mdb")).filter(({ id, kind }) => id.arena === arena && kind === "leaf");
}

function damage(path: string, pages: readonly StoredPage[]): void {
  flipPages(join(path, "pages.mdb"), pages);
}

/** Which keys can be read, and that those which cannot are refused as damaged. */
function readable(branch: Branch): Map<string, string> {
  const found = new Map<string, string>();
  for (const key of KEYS) {
    try {
      found.set(key, text(branch.get(key)) ?? "");
    } catch (error) {
      assert.ok(error instanceof VaultError && error.code === "VAULT_PAGE_DAMAGED", String(error));
    }
  }
  return found;
}

function damagedEvents(events: readonly VaultEvent[]): readonly VaultEvent[] {
  return events.filter(({ type }) => type === "page.damaged");
}

describe("a damaged page", () => {
  it("is told with agent, branch, keys and root, and once as an event with everybody it hurts", async (t) => {
    const path = tempFolder(t);
    const first = await tempVault(t, { path });
    const ann = await fill(first, "ann");
    await fill(first, "bob");
    first.fork(ann, { name: "child" });
    await first.close();
    const [, bad] = leaves(path, ann.id);
    damage(path, [bad!]);
    const { events, onEvent } = eventLog();
    const vault = await tempVault(t, { path, onEvent });
    const again = vault.head("ann")!;
    const can = readable(again);
    const lost = KEYS.filter((key) => !can.has(key));
    assert.ok(lost.length > 20 && lost.length < 100, `${lost.length} keys lie in the page`);
    for (const [key, value] of can) assert.ok(value.startsWith(`ann-${key}-`));
    assert.throws(
      () => again.get(lost[3]!),
      (error) => {
        assert.ok(error instanceof VaultError && error.code === "VAULT_PAGE_DAMAGED");
        const { arena, no, agents, branches, keys, root } = error.details;
        assert.deepEqual({ arena, no, agents, branches }, { ...bad!.id, agents: ["ann"], branches: [ann.id] });
        assert.deepEqual(keys, { from: lost[0], to: KEYS[KEYS.indexOf(lost.at(-1)!) + 1] });
        assert.match(String(root), /^[0-9a-f]{64}$/);
        assert.match(error.message, /"ann" cannot read keys from "key\d+"/);
        return true;
      },
    );
    assert.throws(() => [...vault.head("child")!.range({ from: "key0" })], { code: "VAULT_PAGE_DAMAGED" });
    assert.equal(Object.keys(contentOf(vault.head("bob")!)).length, KEYS.length);
    await vault.close();
    const [event, ...others] = damagedEvents(events);
    assert.deepEqual(others, []);
    assert.ok(event?.type === "page.damaged");
    assert.deepEqual([event.agents, event.branches.length], [["ann", "child"], 2]);
  });

  it("in the base stops the merging of that base and nothing else", async (t) => {
    const path = tempFolder(t);
    const clock = new SimulatedClock();
    const first = await tempVault(t, { path, clock });
    const ann = await fill(first, "ann");
    const bob = await fill(first, "bob");
    await first.close();
    const [, bad] = leaves(path, ann.id);
    damage(path, [bad!]);
    const vault = await tempVault(t, { path, clock });
    clock.advance(60_000); // no longer young: a delta of over a quarter is merged
    const half = KEYS.filter((_, i) => i % 2 === 0);
    for (const branch of [ann, bob]) {
      const ops = half.map((key) => ({ put: key, value: bytes(`new-${key}`) }));
      vault.commit([{ type: "write", branch: branch.id, ops }]);
    }
    await vault.checkpoint();
    await vault.checkpoint();
    await vault.close();
    const last = await tempVault(t, { path, clock });
    const can = readable(last.head("ann")!);
    for (const key of half)
      assert.equal(can.get(key), `new-${key}`, "what was written is there, in the damaged range too");
    assert.ok(can.size < KEYS.length, "what only the damaged page holds is refused");
    assert.equal(readable(last.head("bob")!).size, KEYS.length);
  });

  it("in the delta sends new changes to a tree above it, and so does damage in that one", async (t) => {
    const path = tempFolder(t);
    const first = await tempVault(t, { path });
    const ann = await fill(first, "ann");
    await first.checkpoint();
    await first.close();
    const expected = new Map(KEYS.map((key) => [key, `ann-${key}-${"x".repeat(250)}`]));
    const lost = new Set<string>();
    for (const round of [1, 2, 3, 4]) {
      const vault = await tempVault(t, { path });
      const known = new Set(leaves(path, ann.id).map(({ id }) => id.no));
      // From the second round on this meets the damage that the round before has done.
      const written = KEYS.filter((_, i) => i % 3 === round % 3);
      for (const key of written) {
        expected.set(key, `round${round}-${key}-${"y".repeat(300)}`);
        lost.delete(key);
        vault.commit([put(ann, key, expected.get(key)!)]);
      }
      await vault.checkpoint();
      const can = readable(vault.head("ann")!);
      for (const [key, value] of can) assert.equal(value, expected.get(key), `round ${round}`);
      for (const key of KEYS) assert.equal(can.has(key), !lost.has(key), `round ${round}: ${key}`);
      await vault.close();
      const fresh = leaves(path, ann.id).filter(({ id }) => !known.has(id.no));
      assert.ok(fresh.length > 0, "the round wrote a tree");
      damage(path, [fresh[0]!]);
      const reopened = await tempVault(t, { path });
      const left = readable(reopened.head("ann")!);
      for (const [key, value] of left) assert.equal(value, expected.get(key), `after damage ${round}`);
      for (const key of KEYS) if (!left.has(key)) lost.add(key);
      assert.ok(lost.size > 0);
      await reopened.close();
    }
  });

  it("is left behind by restoring an older snapshot that does not need it", async (t) => {
    const path = tempFolder(t);
    const first = await tempVault(t, { path });
    const ann = await fill(first, "ann");
    first.commit([{ type: "snapshot", branch: ann.id, label: "before" }]);
    const before = contentOf(ann);
    await first.checkpoint();
    const known = new Set(leaves(path, ann.id).map(({ id }) => id.no));
    for (const key of KEYS.slice(0, 60)) first.commit([put(ann, key, `later-${"z".repeat(100)}`)]);
    await first.close();
    damage(
      path,
      leaves(path, ann.id).filter(({ id }) => !known.has(id.no)),
    );
    const vault = await tempVault(t, { path });
    const again = vault.head("ann")!;
    assert.ok(readable(again).size < KEYS.length);
    await vault.restore(again.id, await again.at({ label: "before" })).durable;
    assert.deepEqual(contentOf(again), before);
    await vault.checkpoint();
    assert.deepEqual(contentOf(again), before);
  });
});

describe("a page file", () => {
  it("with zeroed, swapped, foreign and half-written pages, or flipped bits, never answers wrongly", async (t) => {
    const origin = tempFolder(t);
    const first = await tempVault(t, { path: origin });
    const names = ["ann", "bob", "eve"];
    for (const name of names) await fill(first, name);
    await first.checkpoint();
    for (const name of names) {
      const branch = first.head(name)!;
      for (let i = 0; i < 40; i++) first.commit([put(branch, KEYS[i * 7]!, `later-${name}-${i}-${"z".repeat(200)}`)]);
      first.commit([
        { type: "write", branch: branch.id, ops: [{ put: "long", value: new Uint8Array(100_000).fill(i8(name)) }] },
      ]);
    }
    await first.close();
    const expected = new Map(names.map((name) => [name, first.head(name)!.id] as const));
    const truth = await contents(t, origin, names);
    const other = tempFolder(t);
    const second = await tempVault(t, { path: other });
    for (const name of names) await fill(second, `${name}2`);
    await second.close();
    const foreign = storedPages(join(other, "pages.mdb"));
    const chance = new Chance(seed);
    t.diagnostic(`SEED=${seed}`);
    const kinds: Record<string, (page: StoredPage, all: readonly StoredPage[]) => Uint8Array> = {
      zeroed: ({ bytes: page }) => new Uint8Array(page.length),
      swapped: ({ bytes: page }, all) => fitted(page, chance.of(all).bytes),
      foreign: ({ bytes: page }) => fitted(page, chance.of(foreign).bytes),
      "half written": ({ bytes: page }) => Buffer.concat([page.subarray(0, 4096), Buffer.alloc(page.length - 4096)]),
      flipped: ({ bytes: page }) => flipped(page, chance.below(page.length * 8)),
    };
    const tally = { right: 0, refused: 0 };
    for (let round = 0; round < 40; round++) {
      const path = tempFolder(t);
      cpSync(origin, path, { recursive: true });
      const pages = storedPages(join(path, "pages.mdb"));
      for (const bad of chance.some(pages, 1 + chance.below(3))) {
        const kind = chance.of(Object.keys(kinds));
        if (bad.bytes.length > 4096) overwrite(join(path, "pages.mdb"), bad.at, kinds[kind]!(bad, pages));
      }
      const vault = await tempVault(t, { path });
      for (const [name, id] of expected) {
        for (const key of [...KEYS, "long"]) {
          try {
            assert.equal(text(vault.branch(id)?.get(key)), truth.get(`${name}/${key}`), `SEED=${seed} round ${round}`);
            tally.right++;
          } catch (error) {
            if (!(error instanceof VaultError) || error.code !== "VAULT_PAGE_DAMAGED") throw error;
            tally.refused++;
          }
        }
      }
      await vault.close();
    }
    t.diagnostic(`${tally.right} right answers, ${tally.refused} refusals, 0 wrong`);
    assert.ok(tally.refused > 100 && tally.right > tally.refused);
  });
});

function i8(name: string): number {
  return name.charCodeAt(0);
}

/** What every key of every agent holds. */
async function contents(
  t: TestContext,
  path: string,
  names: readonly string[],
): Promise<Map<string, string | undefined>> {
  const copy = tempFolder(t);
  cpSync(path, copy, { recursive: true });
  const vault = await tempVault(t, { path: copy });
  const found = names.flatMap((name) => {
    return [...KEYS, "long"].map((key) => [`${name}/${key}`, text(vault.head(name)!.get(key))] as const);
  });
  await vault.close();
  return new Map(found);
}

/** The bytes of another page in the room of this one. */
function fitted(page: Buffer, other: Buffer): Buffer {
  return Buffer.concat([other, Buffer.alloc(page.length)]).subarray(0, page.length);
}

function flipped(page: Buffer, bit: number): Buffer {
  const copy = Buffer.from(page);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}
