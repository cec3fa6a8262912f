/**
 * What a fork costs: on disk, by the size of the state, against a copy of the same content as a JavaScript object; and
 * ten thousand of them at once, in units of one bare durable write.
 */
import type { Branch, Vault } from "../../vault/index.ts";
import type { Figure, Findings, Ratio, Tools } from "../suite.ts";
import { barAtLeast, barWithin, duration, ratio } from "../suite.ts";
import { BareDisk } from "./bare-disk.ts";
import { buildHuge, objectOfLarge } from "./states.ts";
import type { States } from "./states.ts";

const CLONE_LIMIT = { bar: 1_000, aim: 2_500 };
const SIZE_LIMIT = { bar: 2, aim: 1.1 };
const MANY_LIMIT = { bar: 600, aim: 200 };
/** Forks in one turn of the event loop. */
const MANY = 10_000;
/** Bare writes in each round. */
const BARE_WRITES = 200;
/** Forks before the first sample. */
const WARM_FORKS = 20;

/** Forks of 1 KB and of 100 MB and copies of the latter, in turns. */
export async function measureForks(tools: Tools, states: States): Promise<Findings> {
  const rounds = tools.isQuick ? 5 : 7;
  const { lab, size } = states;
  tools.progress(`forks of 1 KB and of ${size}, and structuredClone, in turns`);
  const object = objectOfLarge(states);
  const clonesMs: number[] = [];
  const forks = new ForkSamples(lab.vault, lab.branch(states.small), lab.branch(states.large));
  await forks.warm();
  for (let round = 0; round < rounds; round++) {
    const started = performance.now();
    structuredClone(object);
    clonesMs.push(performance.now() - started);
    await forks.take(tools.isQuick ? 10 : 30);
  }
  const clone = ratio(`structuredClone of ${size} / durable fork of it`, clonesMs, forks.largeMs);
  return {
    figures: [
      ...forks.figures(size),
      duration(`structuredClone of ${size}, ${states.rows} texts in an object`, clonesMs),
    ],
    ratios: [clone, forks.ratio(size)],
    bars: [barAtLeast(clone, CLONE_LIMIT), barWithin(forks.ratio(size), SIZE_LIMIT)],
    notes: [],
  };
}

/** Forks of 1 KB and of 1 GB, in turns. */
export async function measureHugeForks(tools: Tools): Promise<Findings> {
  const lab = await buildHuge(tools);
  if (lab === undefined) {
    return { figures: [], ratios: [], bars: [], notes: ["1 GB: not measured, its state was not written in 60 s"] };
  }
  await using _ = lab;
  tools.progress("forks of 1 KB and of 1 GB, in turns");
  const forks = new ForkSamples(lab.vault, lab.branch("small"), lab.branch("huge"));
  await forks.warm();
  await forks.take(100);
  const huge = forks.ratio("1 GB");
  return { figures: forks.figures("1 GB"), ratios: [huge], bars: [barWithin(huge, SIZE_LIMIT)], notes: [] };
}

/** Ten thousand forks of 100 MB in one turn, all durable at the end. */
export async function measureManyForks(tools: Tools, { lab, large, size }: States): Promise<Findings> {
  const rounds = tools.isQuick ? 3 : 7;
  tools.progress(`${rounds} × ${MANY} forks of ${size} at once`);
  using disk = new BareDisk(lab.folder);
  const bareMs: number[] = [];
  const enqueuedMs: number[] = [];
  const durableMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    bareMs.push(...disk.writes(BARE_WRITES));
    const { enqueued, durable } = await forkMany(lab.vault, lab.branch(large), MANY);
    enqueuedMs.push(enqueued);
    durableMs.push(durable);
  }
  const inWrites = ratio(`${MANY} durable forks of ${size} in one go / one pwrite + fdatasync`, durableMs, bareMs);
  return {
    figures: [
      duration(`${MANY} forks of ${size} in one go -> all durable`, durableMs),
      duration("  (the calls themselves, before anything is awaited)", enqueuedMs),
      duration("bare pwrite of 512 bytes + fdatasync", bareMs, "µs"),
    ],
    ratios: [inWrites],
    bars: [barWithin(inWrites, MANY_LIMIT)],
    notes: [],
  };
}

/** Forks `count` times in one turn, then waits for all; drops them again outside the time taken. */
async function forkMany(
  vault: Vault,
  source: Branch,
  count: number,
): Promise<{ readonly enqueued: number; readonly durable: number }> {
  const started = performance.now();
  const forks = Array.from({ length: count }, () => vault.fork(source));
  const enqueued = performance.now() - started;
  await Promise.all(forks.map(({ commit }) => commit.durable));
  const durable = performance.now() - started;
  await vault.commit(forks.map(({ branch }) => ({ type: "drop", branch: branch.id }))).durable;
  await vault.checkpoint();
  return { enqueued, durable };
}

class ForkSamples {
  readonly #vault: Vault;
  readonly #small: Branch;
  readonly #large: Branch;
  readonly smallMs: number[] = [];
  readonly largeMs: number[] = [];

  constructor(vault: Vault, small: Branch, large: Branch) {
    this.#vault = vault;
    this.#small = small;
    this.#large = large;
  }

  async warm(): Promise<void> {
    for (let fork = 0; fork < WARM_FORKS; fork++) await this.#forkOnce(this.#small);
  }

  /** `count` of each, the first of a pair being the small one and the large one in turns. */
  async take(count: number): Promise<void> {
    for (let pair = 0; pair < count; pair++) {
      const isSmallFirst = pair % 2 === 0;
      if (isSmallFirst) this.smallMs.push(await this.#forkOnce(this.#small));
      this.largeMs.push(await this.#forkOnce(this.#large));
      if (!isSmallFirst) this.smallMs.push(await this.#forkOnce(this.#small));
    }
  }

  figures(size: string): Figure[] {
    return [
      duration(`fork of 1 KB of state, durable${size === "1 GB" ? ", beside 1 GB" : ""}`, this.smallMs, "µs"),
      duration(`fork of ${size} of state, durable`, this.largeMs, "µs"),
    ];
  }

  ratio(size: string): Ratio {
    return ratio(`fork of ${size} / fork of 1 KB, durable`, this.largeMs, this.smallMs);
  }

  async #forkOnce(source: Branch): Promise<number> {
    const started = performance.now();
    const { branch, commit } = this.#vault.fork(source);
    await commit.durable;
    const ms = performance.now() - started;
    await this.#vault.commit([{ type: "drop", branch: branch.id }]).durable;
    return ms;
  }
}
