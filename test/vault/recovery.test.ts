/** Recovery: what a vault shows after its files were cut, torn or damaged between two openings. */
import assert from "node:assert/strict";
import { copyFileSync, cpSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { Vault, VaultError, systemFiles } from "../../vault/index.ts";
import type { VaultOptions } from "../../vault/index.ts";
import { FRAME_HEADER_BYTES, readFrame } from "../../vault/frame.ts";
import { replayLog } from "../../vault/recovery.ts";
import { SegmentFolder } from "../../vault/segment-folder.ts";
import { decodeSegmentHeader } from "../../vault/segment.ts";
import { VaultState } from "../../vault/state.ts";
import { MemoryPages } from "../support/memory-pages.ts";
import { code, contentOf, eventLog, put, tempFolder, tempVault, text, vaultOptions } from "../support/temp-vault.ts";

/** A vault whose process has ended without a word: the files as they are while it is open. */
async function crashed(
  t: TestContext,
  work: (vault: Vault) => Promise<void>,
  overrides: Partial<VaultOptions> = {},
): Promise<string> {
  const [live, copy] = [tempFolder(t), tempFolder(t)];
  await using vault = await Vault.open(vaultOptions(live, overrides));
  await work(vault);
  await vault.barrier();
  cpSync(live, copy, { recursive: true });
  return copy;
}

function segmentsOf(path: string): string[] {
  return readdirSync(join(path, "log"))
    .filter((name) => name.endsWith(".log"))
    .toSorted()
    .map((name) => join(path, "log", name));
}

/** Where the frames of a segment begin and end. */
function framesOf(segment: string): { start: number; bodyEnd: number; end: number; seq: number }[] {
  const data = readFileSync(segment);
  const header = decodeSegmentHeader(data, segment);
  const frames = [];
  for (let at = 64; ;) {
    const found = readFrame(data, at, header);
    if (found.kind !== "frame") return frames;
    const bodyEnd = at + FRAME_HEADER_BYTES + data.readUInt32LE(at);
    frames.push({ start: at, bodyEnd, end: at + found.frame.bytes, seq: found.frame.seq });
    at += found.frame.bytes;
  }
}

async function writeNumbers(vault: Vault, count: number): Promise<void> {
  const branch = vault.head("a") ?? vault.create({ name: "a" }).branch;
  for (let i = 0; i < count; i++)
    await vault.commit([put(branch, "k", String(i)), put(branch, "l", String(i))]).durable;
}

describe("a torn tail", () => {
  it("at every byte of the last frames leaves the frames before it, each whole", async (t) => {
    const path = await crashed(t, (vault) => writeNumbers(vault, 5), { segmentBytes: 4096 });
    const segment = segmentsOf(path)[0]!;
    const original = readFileSync(segment);
    const frames = framesOf(segment);
    assert.equal(frames.length, 6);
    for (let cut = frames[2]!.end; cut <= frames[5]!.end; cut++) {
      for (const tear of ["cut", "zeros", "garbage"] as const) {
        const data = torn(original, { tear, cut, end: frames[5]!.end });
        writeFileSync(segment, data);
        // A frame is whole as well when all it lacks is padding, or zeros where zeros are what it got.
        const isWhole = (end: number) => data.subarray(0, end).equals(original.subarray(0, end));
        const whole = frames.filter(({ bodyEnd, end }) => isWhole(bodyEnd) && data.length >= end).length;
        const { content, entries, isTorn } = await replayed(path);
        const last = String(whole - 2);
        assert.deepEqual(content, { k: last, l: last }, `${tear} at ${cut}`);
        assert.equal(entries, whole);
        if (tear === "cut") assert.ok(isTorn);
      }
    }
    writeFileSync(segment, torn(original, { tear: "cut", cut: frames[4]!.end + 50, end: frames[5]!.end }));
    const { content, recovery } = await opened(path);
    assert.deepEqual(content, { k: "3", l: "3" });
    assert.equal(recovery.tornTail, true);
  });

  it("is not written behind: the log goes on in a new segment and is whole after the next crash", async (t) => {
    const path = await crashed(t, (vault) => writeNumbers(vault, 5), { segmentBytes: 4096 });
    const [segment] = segmentsOf(path);
    const frames = framesOf(segment!);
    truncateSync(segment!, frames[4]!.end + 13);
    const copy = tempFolder(t);
    {
      await using vault = await Vault.open(vaultOptions(path, { segmentBytes: 4096 }));
      await writeNumbers(vault, 3);
      cpSync(path, copy, { recursive: true });
    }
    const { content, recovery } = await opened(copy);
    assert.deepEqual(content, { k: "2", l: "2" });
    assert.equal(recovery.entries, 8);
    assert.equal(segmentsOf(copy).length, 2, "the torn one and the second run's; the third run has written nothing");
  });
});

/** The segment with its end cut off, never written, or overwritten with what is no frame. */
function torn(
  original: Buffer,
  { tear, cut, end }: { tear: "cut" | "zeros" | "garbage"; cut: number; end: number },
): Buffer {
  if (tear === "cut") return original.subarray(0, cut);
  return Buffer.from(original).fill(tear === "zeros" ? 0 : 0xa5, cut, end);
}

/** What the log alone gives back, without the rest of a vault: a thousand of these take a second. */
async function replayed(path: string) {
  const { uuid } = JSON.parse(readFileSync(join(path, "vault.json"), "utf8"));
  const folder = { path: join(path, "log"), files: systemFiles, uuid, segmentBytes: 4096 };
  const state = new VaultState();
  const loaded = { state, nextPages: new Map(), place: undefined };
  const { entries, isTorn } = await replayLog(await SegmentFolder.open(folder), loaded);
  const branch = state.branch(state.names.get("a")!);
  const rows = [...branch.top.range(await MemoryPages.create(), {})].map(([key, value]) => [key, text(value)] as const);
  return { content: Object.fromEntries(rows), entries, isTorn };
}

describe("damage in the middle of the log", () => {
  it("is VAULT_LOG_DAMAGED with segment, offset and the first lost entry, wherever the bit is", async (t) => {
    const path = await crashed(t, (vault) => writeNumbers(vault, 5), { segmentBytes: 4096 });
    const [segment] = segmentsOf(path);
    const original = readFileSync(segment!);
    const frames = framesOf(segment!);
    for (const [index, { start, bodyEnd, seq }] of frames.slice(0, 4).entries()) {
      for (let at = start; at < bodyEnd; at += 7) {
        const data = Buffer.from(original);
        data[at]! ^= 0x10;
        writeFileSync(segment!, data);
        const error = await refusal(path);
        assert.equal(error.code, "VAULT_LOG_DAMAGED", `byte ${at}`);
        assert.deepEqual(
          [error.details["segment"], error.details["offset"], error.details["firstLostSeq"]],
          ["0000000001.log", start, seq],
          `frame ${index}`,
        );
      }
    }
  });

  it("is seen when a whole block is lost, a segment is missing, cut, or from another vault", async (t) => {
    const path = await crashed(t, (vault) => writeNumbers(vault, 120), { segmentBytes: 4096 });
    const segments = segmentsOf(path);
    assert.ok(segments.length >= 3);
    const [first, second] = segments;
    const other = segmentsOf(await crashed(t, (vault) => writeNumbers(vault, 120), { segmentBytes: 4096 }))[1]!;
    const damages: Record<string, () => void> = {
      "a block of zeros": () => writeFileSync(first!, readFileSync(first!).fill(0, 512, 1024)),
      "a missing segment": () => rmSync(second!),
      "a cut segment": () => truncateSync(first!, 1000),
      "a cut header": () => truncateSync(second!, 40),
      "a segment of another vault": () => copyFileSync(other, second!),
      "a segment in another's place": () => copyFileSync(first!, second!),
    };
    for (const [name, damage] of Object.entries(damages)) {
      const copy = new Map(segments.map((file) => [file, readFileSync(file)] as const));
      damage();
      await assert.rejects(Vault.open(vaultOptions(path)), code("VAULT_LOG_DAMAGED"), name);
      for (const [file, data] of copy) writeFileSync(file, data);
    }
    assert.deepEqual((await opened(path)).content, { k: "119", l: "119" });
  });

  it("before the checkpoint does not keep a vault from opening, and is named when the past is read", async (t) => {
    const work = async (vault: Vault) => {
      await writeNumbers(vault, 10);
      await vault.checkpoint();
      await writeNumbers(vault, 2);
    };
    const path = await crashed(t, work, { segmentBytes: 4096 });
    const [segment] = segmentsOf(path);
    const data = readFileSync(segment!);
    data[framesOf(segment!)[3]!.start + 50]! ^= 1;
    writeFileSync(segment!, data);
    await using vault = await Vault.open(vaultOptions(path));
    assert.deepEqual(contentOf(vault.head("a")!), { k: "1", l: "1" });
    await assert.rejects(vault.head("a")!.at({ seq: 6 }), code("VAULT_LOG_DAMAGED"));
    await assert.rejects(vault.head("a")!.history(), code("VAULT_LOG_DAMAGED"));
  });
});

describe("damage in the pages", () => {
  it("of a row, a lost row, a lost file and a cut file is VAULT_PAGES_DAMAGED", async (t) => {
    const path = await checkpointed(t);
    const pages = join(path, "pages.mdb");
    const original = readFileSync(pages);
    const damages: Record<string, () => void> = {
      "a flipped bit in a row": () => writeFileSync(pages, flipped(original, Buffer.from("snapshot-label"))),
      "a cut file": () => truncateSync(pages, 8192),
      "a lost file": () => rmSync(pages),
      "not a page file": () => writeFileSync(pages, Buffer.alloc(20_000, 7)),
    };
    for (const [name, damage] of Object.entries(damages)) {
      damage();
      await assert.rejects(Vault.open(vaultOptions(path)), code("VAULT_PAGES_DAMAGED"), name);
      writeFileSync(pages, original);
    }
    assert.deepEqual((await opened(path)).content, { k: "v-long-enough-to-find" });
  });

  it("of one page is VAULT_PAGE_DAMAGED for its branch, and the others go on", async (t) => {
    const path = await checkpointed(t);
    const pages = join(path, "pages.mdb");
    writeFileSync(pages, flipped(readFileSync(pages), Buffer.from("v-long-enough-to-find")));
    await using vault = await Vault.open(vaultOptions(path));
    assert.throws(() => vault.head("a")!.get("k"), code("VAULT_PAGE_DAMAGED"));
    assert.deepEqual(contentOf(vault.head("b")!), { other: "branch" });
    await vault.commit([put(vault.head("b")!, "k", "new")]).durable;
  });
});

describe("a vault that is opened again", () => {
  it("tells what it recovered, and syncs it before it serves", async (t) => {
    const path = await crashed(t, (vault) => writeNumbers(vault, 7));
    const { events, onEvent } = eventLog();
    await using vault = await Vault.open(vaultOptions(path, { onEvent }));
    assert.equal(vault.recovery.entries, 8);
    assert.equal(vault.recovery.tornTail, false);
    assert.equal(vault.durableSeq, 8);
    assert.deepEqual(events, [{ type: "vault.recovered", ...vault.recovery }]);
  });

  it("uses old segments again behind the checkpoint, and their old frames never come back", async (t) => {
    const overrides = { segmentBytes: 4096, retainBytes: 0 };
    const path = await crashed(
      t,
      async (vault) => {
        for (let round = 0; round < 5; round++) {
          await writeNumbers(vault, 40);
          await vault.checkpoint();
        }
        await writeNumbers(vault, 2);
      },
      overrides,
    );
    assert.ok(segmentsOf(path).length <= 2);
    const { content, recovery } = await opened(path);
    assert.deepEqual(content, { k: "1", l: "1" });
    assert.equal(recovery.entries, 2);
    assert.equal(recovery.tornTail, false);
  });
});

async function checkpointed(t: TestContext): Promise<string> {
  const path = tempFolder(t);
  await using vault = await Vault.open(vaultOptions(path, { segmentBytes: 4096, retainBytes: 0 }));
  const { branch } = vault.create({ name: "a" });
  vault.commit([
    put(branch, "k", "v-long-enough-to-find"),
    { type: "snapshot", branch: branch.id, label: "snapshot-label" },
  ]);
  vault.commit([put(vault.create({ name: "b" }).branch, "other", "branch")]);
  for (let i = 0; i < 60; i++) vault.commit([put(vault.head("b")!, "filler", String(i))]);
  vault.commit([{ type: "write", branch: vault.head("b")!.id, ops: [{ delete: "filler" }] }]);
  return path;
}

/** The bytes with one bit flipped wherever `needle` stands. */
function flipped(data: Buffer, needle: Buffer): Buffer {
  const copy = Buffer.from(data);
  let at = copy.indexOf(needle);
  assert.ok(at >= 0, "the needle is in the file");
  for (; at >= 0; at = copy.indexOf(needle, at + 1)) copy[at + 3]! ^= 2;
  return copy;
}

async function opened(path: string) {
  await using vault = await Vault.open(vaultOptions(path, { segmentBytes: 4096 }));
  return { content: contentOf(vault.head("a")!), recovery: vault.recovery };
}

async function refusal(path: string): Promise<VaultError> {
  const error: unknown = await Vault.open(vaultOptions(path)).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof VaultError, "the vault is refused");
  return error;
}

describe("what lies behind the end of the log", () => {
  it("is zeros, so a last frame of which nothing can be read shows as a torn tail", async (t) => {
    const path = await crashed(t, (vault) => writeNumbers(vault, 3), { segmentBytes: 4096 });
    const [segment] = segmentsOf(path);
    const data = readFileSync(segment!);
    const last = framesOf(segment!).at(-1)!;
    assert.ok(data.subarray(last.end, last.end + 48).equals(Buffer.alloc(48)));
    writeFileSync(segment!, data.fill(0xa5, last.start, last.end));
    const vault = await tempVault(t, { path, segmentBytes: 4096 });
    assert.equal(text(vault.head("a")?.get("k")), "1");
    assert.equal(vault.recovery.tornTail, true);
  });

  it("is zeros also where an earlier life of the segment left something", async (t) => {
    const path = tempFolder(t);
    const options = { path, segmentBytes: 4096, retainBytes: 0 };
    for (let life = 0; life < 4; life++) {
      await using vault = await Vault.open(vaultOptions(path, options));
      assert.equal(vault.recovery.tornTail, false, `life ${life}`);
      await writeNumbers(vault, 30);
      await vault.checkpoint();
      await vault.commit([put(vault.head("a")!, "k", "x".repeat(100))]).durable;
    }
  });

  it("may look like frames of any length: it is not taken for them, and costs opening no checksums", async (t) => {
    const path = await crashed(t, (vault) => writeNumbers(vault, 3), { segmentBytes: 16 * 1024 * 1024 });
    const [segment] = segmentsOf(path);
    const data = readFileSync(segment!);
    const last = framesOf(segment!).at(-1)!;
    // What an agent could have written into the earlier life of a segment: heads with the next seq and eight million bytes
    // to check each. Checking them takes hours.
    for (let at = last.end + 64; at + 64 < data.length; at += 32) {
      data.writeUInt32LE(8_000_000, at);
      data.writeUInt32LE(last.seq + 1, at + 16);
      data.writeUInt32LE(0, at + 20);
    }
    writeFileSync(segment!, data);
    const vault = await tempVault(t, { path, segmentBytes: 16 * 1024 * 1024 });
    assert.equal(text(vault.head("a")?.get("k")), "2");
    assert.equal(vault.recovery.tornTail, false);
  });
});
