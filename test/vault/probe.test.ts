/**
 * The probe. Invariants: it passes every file that LMDB wrote; what it passes does not kill a process that opens it; what
 * it refuses is named; what the file itself can tell is mended.
 */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, copyFileSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { buildPage, valueCell } from "../../vault/page-build.ts";
import { probeStore } from "../../vault/probe.ts";
import { RawStore } from "../../vault/store-raw.ts";
import { nextLeaf, walkStore } from "../../vault/store-walk.ts";
import type { Walk } from "../../vault/store-walk.ts";
import { PageStore } from "../../vault/store.ts";
import { Chance } from "../support/chance.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { code, tempFolder } from "../support/temp-vault.ts";

const PAGE = 4096;
const READER = join(import.meta.dirname, "../fixtures/store-reader.ts");

function openStore(path: string): Promise<PageStore> {
  const clock = new SimulatedClock();
  return PageStore.open({ path, clock, cacheBytes: 1 << 20, mapBytes: 2 ** 32, commitLimitMs: 5000 });
}

/** A file with some history: pages of all sizes that came, grew and went, rows, a free list. */
async function writeStore(path: string, seed: number, rounds: number): Promise<void> {
  const random = new Chance(seed);
  const below = (count: number) => random.below(count);
  const store = await openStore(path);
  for (let round = 0; round < rounds; round++) {
    await store.transaction((draft) => {
      for (let i = below(60); i > 0; i--) {
        const id = { arena: 1 + below(4), no: below(200) };
        const size = below(2) === 0 ? below(30_000) : below(5000);
        if (below(3) > 0) draft.putPage(id, buildPage(0, [valueCell(Buffer.from("a"), new Uint8Array(size))]));
        else draft.deletePage(id);
      }
      for (let i = below(40); i > 0; i--) {
        const key = Buffer.from(`B${below(400)}`);
        if (below(3) > 0) draft.putMeta(key, new Uint8Array(below(900)));
        else draft.deleteMeta(key);
      }
    });
    assert.ok(probeStore(path) !== undefined, `seed ${seed}, round ${round}`);
  }
  await store.close();
}

/** LMDB pages in use: what the walk asks for, and the heads of long values. */
function livePages(path: string): { readonly structure: readonly number[]; readonly longs: readonly number[] } {
  const raw = RawStore.open(path);
  assert.ok(raw !== undefined);
  const structure = [0, 1];
  const walk = walkStore(raw.meta());
  raw.drive(
    (function* recorded(): Walk<unknown> {
      let step = walk.next();
      while (step.done !== true) {
        structure.push(step.value.page);
        step = walk.next(yield step.value);
      }
      return step.value;
    })(),
  );
  const longs: number[] = [];
  for (let after = Buffer.alloc(0); ;) {
    const entries = raw.drive(nextLeaf(raw.meta(), after));
    if (entries === undefined) break;
    for (const { value } of entries) if (!(value instanceof Uint8Array)) longs.push(value.page);
    after = Buffer.from(entries.at(-1)!.key);
  }
  raw.close();
  return { structure, longs };
}

function headBytes(image: Buffer, no: number): number {
  const kind = image.readUInt16LE(no * PAGE + 18);
  return kind === 4 ? 24 : kind === 8 ? 160 : PAGE;
}

describe("the probe", () => {
  it("passes what LMDB wrote, after every transaction", async (t) => {
    const path = join(tempFolder(t), "pages.mdb");
    assert.equal(probeStore(path), undefined);
    await writeStore(path, 7, 40);
    const store = await openStore(path);
    const found = probeStore(path);
    assert.equal(found?.pages, store.stats().pages);
    assert.equal(found?.rows, store.rangeMeta(Buffer.alloc(0)).length);
    await store.close();
  });

  it("lets no flipped bit through that ends the process which opens the file", async (t) => {
    const folder = tempFolder(t);
    const path = join(folder, "pages.mdb");
    const seed = Number(process.env["SEED"] ?? 11);
    await writeStore(path, seed, 12);
    const image = readFileSync(path);
    const { structure, longs } = livePages(path);
    const random = new Chance(seed);
    const tally = { refused: 0, passed: 0 };
    for (let flip = 0; flip < 50; flip++) {
      const no = random.of(random.oneIn(5) ? longs : structure);
      const at = no * PAGE + random.below(random.oneIn(2) ? 40 : headBytes(image, no));
      const copy = join(folder, `${flip}.mdb`);
      copyFileSync(path, copy);
      flipBit(copy, at, random.below(8));
      const outcome = await opened(t, copy);
      const note = `SEED=${seed}: flip ${flip} in LMDB page ${no} at byte ${at - no * PAGE}`;
      assert.match(outcome, /^(?:served|VAULT_[A-Z_]+)$/, note);
      tally[outcome === "VAULT_PAGES_DAMAGED" ? "refused" : "passed"]++;
    }
    t.diagnostic(`${tally.refused} refused, ${tally.passed} served`);
    assert.ok(tally.refused > 0 && tally.passed > 0);
  });

  it("refuses zeroed, swapped and stale pages of LMDB's structure with VAULT_PAGES_DAMAGED", async (t) => {
    const folder = tempFolder(t);
    const path = join(folder, "pages.mdb");
    await writeStore(path, 3, 10);
    const stale = readFileSync(path);
    await writeStore(path, 4, 10);
    const image = readFileSync(path);
    const root = tableLeaf(image);
    const damages: Record<string, (bytes: Buffer) => void> = {
      zeroed: (bytes) => bytes.fill(0, root * PAGE, (root + 1) * PAGE),
      misdirected: (bytes) => image.copy(bytes, root * PAGE, 2 * PAGE, 3 * PAGE),
      stale: (bytes) => stale.copy(bytes, 0, 2 * PAGE),
      "of two empty meta pages": (bytes) => bytes.fill(0, 0, 2 * PAGE),
    };
    for (const [name, damage] of Object.entries(damages)) {
      const bytes = Buffer.from(image);
      damage(bytes);
      const copy = join(folder, `${name}.mdb`);
      writeFileSync(copy, bytes);
      assert.throws(() => probeStore(copy), code("VAULT_PAGES_DAMAGED"), name);
      await assert.rejects(openStore(copy), code("VAULT_PAGES_DAMAGED"), name);
      assert.ok(readFileSync(copy).equals(bytes), "and leaves the file alone");
    }
  });

  it("mends a meta page that makes no sense from the other one", async (t) => {
    const folder = tempFolder(t);
    const path = join(folder, "pages.mdb");
    await writeStore(path, 5, 10);
    const rows = await rowsOf(path);
    for (const no of [0, 1]) {
      const copy = join(folder, `${no}.mdb`);
      copyFileSync(path, copy);
      const bytes = readFileSync(copy);
      const isNewest = bytes.readBigUInt64LE(no * PAGE + 152) > bytes.readBigUInt64LE((1 - no) * PAGE + 152);
      bytes.fill(0xff, no * PAGE, (no + 1) * PAGE);
      writeFileSync(copy, bytes);
      // Without the newest meta page it is the file as it was one transaction earlier.
      if (!isNewest) assert.deepEqual(await rowsOf(copy), rows);
      const store = await openStore(copy);
      await store.transaction((draft) => draft.putMeta(Buffer.from("G"), Buffer.from("new")));
      await store.close();
      assert.equal((await rowsOf(copy)).get("G"), "new");
    }
  });

  it("and the store mend the head of a long value, which LMDB believes when it frees one", async (t) => {
    const path = join(tempFolder(t), "pages.mdb");
    const store = await openStore(path);
    const page = () => buildPage(0, [valueCell(Buffer.from("a"), new Uint8Array(12_000).fill(7))]);
    await store.transaction((draft) => {
      for (let no = 1; no <= 30; no++) draft.putPage({ arena: 1, no }, page());
    });
    await store.close();
    const bytes = readFileSync(path);
    const heads = livePages(path).longs;
    assert.equal(heads.length, 30);
    for (const no of heads) bytes[no * PAGE + 20]! ^= 0x10; // how many pages it has
    writeFileSync(path, bytes);
    const again = await openStore(path);
    for (const round of [0, 1, 2]) {
      await again.transaction((draft) => {
        for (let no = 1; no <= 30; no++) if (no % 3 === round) draft.deletePage({ arena: 1, no });
        for (let no = 1; no <= 10; no++) draft.putPage({ arena: 2 + round, no }, page());
      });
    }
    assert.equal(probeStore(path)?.pages, 30);
    for (const arena of [2, 3, 4]) for (let no = 1; no <= 10; no++) again.page({ arena, no });
    await again.close();
  });
});

async function rowsOf(path: string): Promise<Map<string, string>> {
  const store = await openStore(path);
  const rows = store.rangeMeta(Buffer.alloc(0));
  await store.close();
  return new Map(rows.map(([key, value]) => [Buffer.from(key).toString("latin1"), value.toString("latin1")]));
}

/** The root of the table of pages, found by its name as the first leaf of the main tree spells it. */
function tableLeaf(image: Buffer): number {
  const newest = image.readBigUInt64LE(152) > image.readBigUInt64LE(PAGE + 152) ? 0 : PAGE;
  const main = Number(image.readBigUInt64LE(newest + 24 + 112)) * PAGE;
  const name = image.indexOf("pages\0", main);
  return Number(image.readBigUInt64LE(name + 6 + 40));
}

function flipBit(path: string, at: number, bit: number): void {
  const file = openSync(path, "r+");
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  byte[0]! ^= 1 << bit;
  writeSync(file, byte, 0, 1, at);
  closeSync(file);
}

let reader: ChildProcess | undefined;

/** What becomes of a process that uses the file: its answer, or the signal that ended it. */
async function opened(t: TestContext, path: string): Promise<string> {
  if (reader === undefined) {
    const child = fork(READER, { stdio: ["ignore", "ignore", "ignore", "ipc"] });
    child.setMaxListeners(0); // one for each file
    t.after(() => child.kill("SIGKILL"));
    reader = child;
  }
  const child = reader;
  child.send(path);
  const ended = once(child, "exit").then(([exit, signal]) => `ended with ${signal ?? exit}`);
  const answer = once(child, "message").then(([message]) => String(message));
  const outcome = await Promise.race([answer, ended]);
  // A store that LMDB failed stays in its process: the next file gets a fresh one.
  if (outcome !== "served" && outcome !== "VAULT_PAGES_DAMAGED") {
    child.kill("SIGKILL");
    reader = undefined;
  }
  return outcome;
}
