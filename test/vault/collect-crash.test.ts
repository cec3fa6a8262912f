/**
 * Collections that are cut off, undone around, or meet damage. Invariants: whatever moment a crash hits, the vault opens,
 * every page that anything needs is whole, and what was acknowledged is there; nothing is deleted on doubtful grounds.
 */
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { describe, it } from "node:test";
import { Vault } from "../../vault/index.ts";
import type { Branch, Commit, RetentionPolicy } from "../../vault/index.ts";
import { flipPages, storedPages } from "../support/page-file.ts";
import {
  FaultyFiles,
  bytes,
  code,
  contentOf,
  eventLog,
  put,
  tempFolder,
  tempVault,
  vaultOptions,
} from "../support/temp-vault.ts";

const RETENTION: RetentionPolicy = {
  rules: [
    { label: "auto-#", count: 2 },
    { label: "before-restore-#", count: 1 },
  ],
  dropsUnnamed: true,
};

function rows(count: number, letter: string) {
  return Array.from({ length: count }, (_, i) => ({
    put: `k${String(i).padStart(4, "0")}`,
    value: bytes(letter.repeat(300)),
  }));
}

function write(vault: Vault, branch: Branch, ops: ReturnType<typeof rows>): Commit {
  return vault.commit([{ type: "write", branch: branch.id, ops }]);
}

type Expected = ReadonlyMap<string, Record<string, string>>;

/** A vault with garbage of all kinds, which notes what a crash at each step must find. */
class Scene {
  readonly images: {
    readonly step: string;
    readonly path: string;
    readonly before: Expected;
    readonly after: Expected;
  }[] = [];
  readonly vault: Vault;
  readonly #path: string;
  readonly #t: TestContext;
  isWatched = false;
  #expected: Expected = new Map();
  /** What is expected once the commit that is under way is kept. */
  #next: Expected = new Map();

  private constructor(t: TestContext, path: string, open: (onStep: (step: string) => void) => Vault) {
    this.#t = t;
    this.#path = path;
    this.vault = open((step) => this.#watch(step));
  }

  static async open(t: TestContext): Promise<Scene> {
    const path = tempFolder(t);
    const steps: { told: (step: string) => void } = { told: () => undefined };
    const onStep = (step: string) => steps.told(step);
    const vault = await tempVault(t, { path, onStep, retention: RETENTION, retainBytes: 0, segmentBytes: 128 * 1024 });
    return new Scene(t, path, (told) => {
      steps.told = told;
      return vault;
    });
  }

  /** Does something, and expects its outcome once it is acknowledged. */
  async act(work: () => Commit): Promise<void> {
    const { durable } = work();
    this.#next = new Map(this.vault.names().map(({ name }) => [name, contentOf(this.vault.head(name)!)]));
    await durable;
    this.#expected = this.#next;
  }

  #watch(step: string): void {
    if (!this.isWatched) return;
    const path = tempFolder(this.#t);
    cpSync(this.#path, path, { recursive: true });
    this.images.push({ step, path, before: this.#expected, after: this.#next });
  }
}

async function fillWithGarbage(scene: Scene): Promise<Branch> {
  const { vault } = scene;
  const made = vault.create({ name: "a", ops: rows(300, "a") });
  const a = made.branch;
  await scene.act(() => made.commit);
  for (let i = 1; i <= 5; i++) {
    await scene.act(() => vault.fork(a, { name: `f${i}` }).commit);
    await scene.act(() => write(vault, vault.head(`f${i}`)!, rows(40, `${i}`)));
    await scene.act(() => vault.commit([{ type: "snapshot", branch: a.id, label: `auto-${i}` }]));
    await scene.act(() => write(vault, a, rows(300, "bcdef"[i - 1]!)));
    await vault.checkpoint();
  }
  await scene.act(() => vault.commit([{ type: "drop", branch: vault.head("f1")!.id }]));
  const left = vault.head("f2")!;
  await scene.act(() => vault.commit([{ type: "name", name: "f2", branch: undefined, expect: left.id }]));
  return a;
}

it("a crash at any step of a collection beside other work loses nothing and leaves every page whole", async (t) => {
  const scene = await Scene.open(t);
  const { vault } = scene;
  const a = await fillWithGarbage(scene);
  scene.isWatched = true;
  const collected = vault.maintenance.collect();
  const view = await a.at({ label: "auto-5" });
  await scene.act(() => vault.fork(view, { name: "g" }).commit);
  await scene.act(() => write(vault, vault.head("g")!, rows(5, "g")));
  await scene.act(() => vault.restore(a.id, vault.head("f4")!));
  const checkpointed = vault.checkpoint();
  await scene.act(() => vault.commit([{ type: "drop", branch: vault.head("f3")!.id }]));
  const report = await collected;
  await checkpointed;
  scene.isWatched = false;
  assert.ok(report.pages > 5 && report.snapshots >= 3, JSON.stringify(report));
  const steps = new Set(scene.images.map(({ step }) => step));
  for (const step of ["log.write", "store.commit", "collect.capture", "collect.mark.done", "collect.sweep.done"])
    assert.ok(steps.has(step), step);
  for (const image of scene.images) await checkImage(image);
  t.diagnostic(`${scene.images.length} images, 0 violations`);
});

async function checkImage({ step, path, before, after }: Scene["images"][number]): Promise<void> {
  const vault = await Vault.open(vaultOptions(path, { retention: RETENTION, retainBytes: 0 }));
  try {
    const found = new Map(vault.names().map(({ name }) => [name, contentOf(vault.head(name)!)]));
    const isBefore = JSON.stringify(sorted(found)) === JSON.stringify(sorted(before));
    if (!isBefore) assert.deepEqual(sorted(found), sorted(after), step);
    await assertSound(vault, step);
    await vault.maintenance.collect();
    assert.deepEqual(new Map(vault.names().map(({ name }) => [name, contentOf(vault.head(name)!)])), found, step);
    assert.equal((await assertSound(vault, step)).unreachablePages, 0, step);
    for (const branch of vault.names().map(({ name }) => vault.head(name)!))
      for (const { label } of branch.snapshots()) contentOf(await branch.at({ label }));
  } finally {
    await vault.close();
  }
}

async function assertSound(vault: Vault, step: string) {
  const report = await vault.maintenance.check();
  assert.deepEqual([report.damaged, report.problems], [[], []], step);
  return report;
}

function sorted(found: Expected): (readonly [string, Record<string, string>])[] {
  return [...found].toSorted(([x], [y]) => (x < y ? -1 : 1));
}

describe("a collection deletes nothing", () => {
  it("when a drop that it counted on is undone by a full disk", async (t) => {
    const files = new FaultyFiles();
    const steps: string[] = [];
    const atCapture: { work: () => void } = { work: () => undefined };
    const onStep = (step: string) => {
      steps.push(step);
      if (step === "collect.capture") atCapture.work();
    };
    const vault = await tempVault(t, { files, onStep, retainBytes: 0 });
    const { branch } = vault.create({ name: "a", ops: rows(200, "a") });
    const [fork, garbage] = [vault.fork(branch).branch, vault.fork(branch).branch];
    for (const each of [fork, garbage]) write(vault, each, rows(200, "b"));
    await vault.checkpoint();
    const content = contentOf(fork);
    vault.commit([{ type: "drop", branch: garbage.id }]);
    // In the turn of the capture the drop is in memory and not on the disk, where there is no room for it.
    let refused: Promise<void> | undefined;
    atCapture.work = () => {
      files.plan = (operation) => (operation === "write" ? { error: "ENOSPC" } : undefined);
      const { durable } = vault.commit([{ type: "drop", branch: fork.id }]);
      refused = assert.rejects(durable, code("VAULT_COMMIT_FAILED"));
    };
    await assert.rejects(vault.maintenance.collect(), code("VAULT_COMMIT_FAILED"));
    await refused;
    assert.ok(!steps.includes("collect.sweep"), "although there was garbage");
    atCapture.work = () => undefined;
    files.plan = () => undefined;
    assert.deepEqual(contentOf(fork), content);
    assert.ok((await vault.maintenance.collect()).pages > 0);
    assert.deepEqual(contentOf(fork), content);
    await assertSound(vault, "after");
  });

  it("while a page that leads to others cannot be read, and says so", async (t) => {
    const path = tempFolder(t);
    const { events, onEvent } = eventLog();
    {
      await using vault = await Vault.open(vaultOptions(path, { retainBytes: 0 }));
      const { branch } = vault.create({ name: "a", ops: rows(2_500, "a") });
      const { branch: fork } = vault.fork(branch);
      write(vault, fork, rows(300, "b"));
      await vault.checkpoint();
      vault.commit([{ type: "drop", branch: fork.id }]);
    }
    const file = join(path, "pages.mdb");
    const inner = storedPages(file).filter(({ id, kind }) => id.arena === 1 && kind === "inner");
    assert.equal(inner.length, 1);
    flipPages(file, inner);
    const vault = await tempVault(t, { path, onEvent, retainBytes: 0 });
    const { pages } = vault.stats();
    const report = await vault.maintenance.collect();
    assert.deepEqual([report.pages, report.damaged], [0, [inner[0]!.id]]);
    assert.equal(vault.stats().pages, pages);
    assert.ok(events.some((event) => event.type === "collect.failed" && event.code === "VAULT_PAGE_DAMAGED"));
    vault.commit([{ type: "drop", branch: vault.head("a")!.id }]);
    assert.equal((await vault.maintenance.collect()).livePages, 0, "without its owner the page is garbage as well");
    assert.equal(vault.stats().pages, 0);
  });

  it("on a full disk, and tries again", async (t) => {
    const files = new FaultyFiles();
    const { events, onEvent } = eventLog();
    const vault = await tempVault(t, { files, onEvent, retainBytes: 0 });
    const { branch } = vault.create({ ops: rows(200, "a") });
    const { branch: fork } = vault.fork(branch, { name: "b" });
    await vault.checkpoint();
    vault.commit([{ type: "drop", branch: branch.id }, put(fork, "k", "v")]);
    files.bytesLeft = 0;
    await assert.rejects(vault.maintenance.collect(), code("VAULT_COMMIT_FAILED"));
    assert.ok(events.some(({ type }) => type === "collect.failed"));
    files.bytesLeft = undefined;
    await vault.maintenance.collect();
    assert.equal(Object.keys(contentOf(fork)).length, 201);
    await assertSound(vault, "after");
  });
});
