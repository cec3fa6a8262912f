/**
 * Networks against test inputs. Blue is one network of a fixed size that is edited; it is judged by a few inputs only. The inputs are
 *
 *   fixed     drawn once
 *   redrawn   drawn anew each round
 *   red       evolved: bred from one another while blue sorts nearly all it has; those that blue fails are added (after Hillis 1990;
 *             unlike his, they are not forgotten until there is no room)
 *
 * Invariant: all three pay for every input that a network sorts, red's trials too, and have the same sum to spend. No arm sees
 * more inputs than it pays for; how many of all inputs the last network sorts is counted once, at the end, and never used.
 */
import { seededRandom, type Random } from "../../../runtime/index.ts";
import { below } from "../../population/chance.ts";
import { seedOf } from "../draws.ts";
import { drawPair, edited } from "./edits.ts";
import { allInputs, benchOf, failures, inputsOf, runOne, type Bench, type Network } from "./network.ts";

/** Where the inputs come from. */
export type Arm = "fixed" | "redrawn" | "red";

/** What an arm may do. */
export interface DuelOptions {
  readonly wires: number;
  /** Comparators of a network. */
  readonly size: number;
  /** Inputs sorted, over all networks and inputs. */
  readonly evaluations: number;
  readonly seed: number;
}

/** Inputs that judge a network at first. A multiple of 32 fills words. */
const TESTS = 32;
/** Inputs that red may keep. */
const TESTS_MAX = 512;
/** Edits of blue in a round. */
const EDITS = 200;
/** New inputs that red tries in a round. */
const BRED = 64;
/** Of its tests blue may fail this share, or red waits: whoever is far behind learns nothing from more attacks. */
const FAILED_SHARE = 0.05;
const EDITS_AT_ONCE = 3;

/** Runs one arm; gives how many of all 2^wires inputs its last network leaves unsorted. */
export function duel(arm: Arm, options: DuelOptions): number {
  const { wires, seed } = options;
  const random = seededRandom(seedOf(seed));
  let blue = randomNetwork(options, random);
  let tests = drawInputs(wires, TESTS, random);
  for (let left = options.evaluations; ;) {
    const edits = Math.min(EDITS, Math.floor(left / tests.length) - 1);
    if (edits < 1) return unsortedOf(blue, wires);
    const round = improved(blue, benchOf(inputsOf(wires, tests)), edits, random);
    blue = round.network;
    left -= (edits + 1) * tests.length;
    if (arm === "redrawn") tests = drawInputs(wires, TESTS, random);
    if (arm !== "red" || round.failed > FAILED_SHARE * tests.length) continue;
    tests = attacked(blue, tests, wires, random);
    left -= BRED;
  }
}

/** The tests and whatever of the bred inputs blue does not sort, each once; of too many the oldest are left out. */
function attacked(blue: Network, tests: readonly number[], wires: number, random: Random): readonly number[] {
  const bred = Array.from({ length: BRED }, () => breed(tests, wires, random));
  const found = bred.filter((input) => !isSorted(runOne(blue, input), wires));
  return [...new Set([...tests, ...found])].slice(-TESTS_MAX);
}

interface Round {
  readonly network: Network;
  /** Of its tests. */
  readonly failed: number;
}

/** Edits that fail no more inputs are kept, so that a network may drift where it is not judged. */
function improved(blue: Network, bench: Bench, edits: number, random: Random): Round {
  let best = blue;
  let fewest = failureCount(best, bench);
  for (let edit = 0; edit < edits; edit++) {
    const child = refilled(
      edited(best, bench.inputs.wires, EDITS_AT_ONCE, random),
      best.length,
      bench.inputs.wires,
      random,
    );
    const count = failureCount(child, bench);
    if (count > fewest) continue;
    best = child;
    fewest = count;
  }
  return { network: best, failed: fewest };
}

/** Edits take comparators away; the size stays. */
function refilled(network: Network, length: number, wires: number, random: Random): Network {
  const pairs = [...network];
  while (pairs.length < length) pairs.splice(2 * below(random, pairs.length / 2 + 1), 0, ...drawPair(wires, random));
  return Uint8Array.from(pairs);
}

function failureCount(network: Network, bench: Bench): number {
  let count = 0;
  for (let word of failures(network, bench)) for (; word !== 0; word &= word - 1) count++;
  return count;
}

/** One input near another: a bit turned, two wires exchanged, or a new one. */
function breed(tests: readonly number[], wires: number, random: Random): number {
  const parent = tests[below(random, tests.length)] ?? 0;
  const [one, other] = drawPair(wires, random);
  switch (below(random, 4)) {
    case 0:
      return parent ^ (1 << one);
    case 1:
      return parent ^ (1 << one) ^ (1 << other);
    case 2: {
      // The upper wires from one, the lower from another.
      const mate = tests[below(random, tests.length)] ?? 0;
      return ((parent >>> one) << one) | (mate & ((1 << one) - 1));
    }
    default:
      return below(random, 2 ** wires);
  }
}

function drawInputs(wires: number, count: number, random: Random): readonly number[] {
  return Array.from({ length: count }, () => below(random, 2 ** wires));
}

function randomNetwork({ wires, size }: DuelOptions, random: Random): Network {
  return Uint8Array.from(Array.from({ length: size }, () => drawPair(wires, random)).flat());
}

/** All zeros, or ones from some wire up to the last: then its lowest one carries over the top. */
function isSorted(output: number, wires: number): boolean {
  return output === 0 || output + (output & -output) === 2 ** wires;
}

function unsortedOf(network: Network, wires: number): number {
  return failureCount(network, benchOf(inputsOf(wires, allInputs(wires))));
}
