/**
 * Durable writes: how many are acknowledged per second by the vault and by LMDB alone, for 1 to 1,000 writers that each
 * wait for their own, and what one acknowledgement takes against the least a durable write can cost.
 *
 * What is a sample
 * 1. Every writer has one write on its way, a put of 300 bytes at a random place of its own keys; in the vault each
 *    writer is a branch. Keys and values are the same on both sides.
 * 2. Slices of both sides take turns. The vault's checkpoints run as they do in a runtime, whenever its window of log is
 *    full; what is left after a slice is folded outside of it, so that it cannot burden the other side.
 */
import type { BranchId, Vault } from "../../vault/index.ts";
import type { Figure, Findings, Limit, Ratio, Tools } from "../suite.ts";
import { barAtLeast, barWithin, duration, figure, ratio } from "../suite.ts";
import { BareDisk } from "./bare-disk.ts";
import { valueOf } from "./content.ts";
import { VaultLab } from "./lab.ts";
import { RawLmdb } from "./raw-lmdb.ts";

/** Writers at once, and how many times LMDB's rate the vault is to reach. */
const crowds: readonly { readonly writers: number; readonly limit: Limit }[] = [
  { writers: 1, limit: { bar: 1.2, aim: 2 } },
  { writers: 10, limit: { bar: 1.7, aim: 2.5 } },
  { writers: 100, limit: { bar: 3, aim: 6 } },
  { writers: 1_000, limit: { bar: 3.5, aim: 8 } },
];
/** Where the prototype of the log stood, and where a log without any cost of its own would. */
const LATENCY_LIMIT: Limit = { bar: 1.7, aim: 1.15 };
const VALUE_BYTES = 300;
/** Keys over all writers: some 30 MB of rows. */
const KEYS = 100_000;
/** A step through the keys that meets each once, in an order without a pattern: odd, and not a divisor of 100,000. */
const KEY_STEP = 61_803;
const BARE_WRITES = 300;
/** Little, so that segments are used again from the first slices on, as in a vault that has run for a while. */
const RETAIN_BYTES: number = 16 << 20;

/** One write, resolved when it is on disk. */
type DurableWrite = (writer: number, key: string, value: Uint8Array) => Promise<void>;

/** Acknowledgements per second, and what one takes. */
export async function measureAcks(tools: Tools): Promise<Findings> {
  await using lab = await VaultLab.open({ retainBytes: RETAIN_BYTES });
  await using lmdb = new RawLmdb(lab.folder);
  const rates: { readonly figures: Figure[]; readonly ratio: Ratio; readonly limit: Limit }[] = [];
  for (const { writers, limit } of crowds) {
    tools.progress(`durable writes, ${writers} at once, vault and lmdb in turns`);
    rates.push({ limit, ...(await measureCrowd(tools, { lab, lmdb, writers })) });
  }
  const latency = await measureLatency(tools, lab);
  return {
    figures: [...rates.flatMap(({ figures }) => figures), ...latency.figures],
    ratios: [...rates.map(({ ratio }) => ratio), ...latency.ratios],
    bars: [...rates.map(({ ratio, limit }) => barAtLeast(ratio, limit)), ...latency.bars],
    notes: [`durable writes: ${lab.checkpoints.length} checkpoints, those between the slices included`],
  };
}

async function measureCrowd(
  tools: Tools,
  { lab, lmdb, writers }: { readonly lab: VaultLab; readonly lmdb: RawLmdb; readonly writers: number },
): Promise<{ readonly figures: Figure[]; readonly ratio: Ratio }> {
  const rounds = tools.isQuick ? 3 : 8;
  const sliceMs = tools.isQuick ? 300 : 1_000;
  const keys = keysOf(writers);
  const toVault = vaultWrite(lab.vault, writers);
  const toLmdb: DurableWrite = (_, key, value) => lmdb.put(key, value);
  const vaultRates: number[] = [];
  const lmdbRates: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const ofVault = await acksPerSecond(toVault, keys, sliceMs);
    await lab.vault.checkpoint();
    const ofLmdb = await acksPerSecond(toLmdb, keys, sliceMs);
    if (round < 0) continue; // warm: not a sample
    vaultRates.push(ofVault);
    lmdbRates.push(ofLmdb);
  }
  const who = `${writers} writer${writers === 1 ? "" : "s"}`;
  return {
    figures: [
      figure(`durable writes, ${who}, vault`, "acks/s", vaultRates),
      figure(`durable writes, ${who}, lmdb alone`, "acks/s", lmdbRates),
    ],
    ratio: ratio(`durable writes per second, ${who}: vault / lmdb alone`, vaultRates, lmdbRates),
  };
}

/** One writer's waits and bare writes, in turns. */
async function measureLatency(tools: Tools, lab: VaultLab): Promise<Findings> {
  tools.progress("one durable write against a bare one");
  using disk = new BareDisk(lab.folder);
  const write = vaultWrite(lab.vault, 1);
  const ackMs: number[] = [];
  const bareMs: number[] = [];
  for (let round = 0; round < (tools.isQuick ? 3 : 10); round++) {
    bareMs.push(...disk.writes(BARE_WRITES));
    for (let count = 0; count < BARE_WRITES; count++) {
      const started = performance.now();
      await write(0, "latency", valueOf(VALUE_BYTES, count));
      ackMs.push(performance.now() - started);
    }
  }
  const share = ratio("one durable write: vault / bare pwrite + fdatasync", ackMs, bareMs);
  return {
    figures: [
      duration("one durable write, vault", ackMs, "µs"),
      duration("one bare pwrite of 512 bytes + fdatasync", bareMs, "µs"),
    ],
    ratios: [share],
    bars: [barWithin(share, LATENCY_LIMIT)],
    notes: [],
  };
}

/** Keys of each writer, all of the same number. */
export function keysOf(writers: number): readonly (readonly string[])[] {
  const each = Math.floor(KEYS / writers);
  return Array.from({ length: writers }, (_, writer) =>
    Array.from({ length: each }, (__, key) => `${writers}/${writer}/${(key * KEY_STEP) % each}`),
  );
}

/** Writes to a vault, in which every writer is a branch of its own. */
function vaultWrite(vault: Vault, writers: number): DurableWrite {
  const branches: BranchId[] = Array.from({ length: writers }, () => vault.create({}).branch.id);
  return async (writer, key, value) => {
    // Writers are numbered as the branches were made.
    const branch = branches[writer] as BranchId;
    await vault.commit([{ type: "write", branch, ops: [{ put: key, value }] }]).durable;
  };
}

/** Acknowledged writes per second while each of `keys` has its writer, over `sliceMs`. */
async function acksPerSecond(
  write: DurableWrite,
  keys: readonly (readonly string[])[],
  sliceMs: number,
): Promise<number> {
  const started = performance.now();
  const end = started + sliceMs;
  const counts = await Promise.all(keys.map((own, writer) => writeUntil({ write, writer, own, end })));
  return (counts.reduce((sum, count) => sum + count, 0) * 1_000) / (performance.now() - started);
}

interface Writer {
  readonly write: DurableWrite;
  readonly writer: number;
  readonly own: readonly string[];
  readonly end: number;
}

async function writeUntil({ write, writer, own, end }: Writer): Promise<number> {
  let count = 0;
  for (; performance.now() < end; count++) {
    await write(writer, own[count % own.length] ?? "", valueOf(VALUE_BYTES, count));
  }
  return count;
}
