/** Sorting networks: 32 inputs at once are as one by one, the hunt finds what is known to be smallest, arms spend the same. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sortingNetwork } from "../../../evolution/experiments/sorting-network.ts";
import { drawPair, edited, greenPrefix } from "../../../evolution/experiments/sorting-network/edits.ts";
import { NetworkHunt } from "../../../evolution/experiments/sorting-network/hunt.ts";
import {
  allInputs,
  benchOf,
  depthOf,
  failures,
  inputsOf,
  outputsOf,
  pruned,
  runOne,
  sorts,
  type Network,
} from "../../../evolution/experiments/sorting-network/network.ts";
import { pairedTest } from "../../../evolution/experiments/sorting-network/paired.ts";
import { duel } from "../../../evolution/experiments/sorting-network/red.ts";
import { seededRandom } from "../../../runtime/random.ts";

const four: Network = Uint8Array.of(0, 1, 2, 3, 0, 2, 1, 3, 1, 2);
const fullBench = (wires: number) => benchOf(inputsOf(wires, allInputs(wires)));

/** Sorts numbers, one by one, as the network is meant. */
function sorted(network: Network, values: readonly number[]): readonly number[] {
  const result = [...values];
  for (let at = 0; at < network.length; at += 2) {
    const [low, high] = [network[at]!, network[at + 1]!];
    if (result[low]! > result[high]!) [result[low], result[high]] = [result[high]!, result[low]!];
  }
  return result;
}

const bitsOf = (input: number, wires: number) => Array.from({ length: wires }, (_, wire) => (input >>> wire) & 1);
const isSorted = (values: readonly number[]) => values.every((value, at) => at === 0 || values[at - 1]! <= value);

describe("running networks", () => {
  it("five comparators sort four wires, and no four of them do", () => {
    assert.ok(sorts(four, fullBench(4)));
    assert.equal(depthOf(four), 3);
    for (let at = 0; at < four.length; at += 2) {
      const shorter = four.filter((_, index) => index !== at && index !== at + 1);
      assert.equal(sorts(shorter, fullBench(4)), false);
    }
  });

  it("the words say what single inputs say, for networks by chance", () => {
    const random = seededRandom(11);
    for (const wires of [3, 5, 7, 8]) {
      const bench = fullBench(wires);
      for (let time = 0; time < 30; time++) {
        const network = Uint8Array.from(Array.from({ length: 12 }, () => drawPair(wires, random)).flat());
        const failed = failures(network, bench);
        for (const input of allInputs(wires)) {
          const output = sorted(network, bitsOf(input, wires));
          assert.deepEqual(bitsOf(runOne(network, input), wires), output);
          assert.equal(((failed[input >>> 5]! >>> (input & 31)) & 1) === 0, isSorted(output));
        }
        assert.equal(
          sorts(network, bench),
          failed.every((word) => word === 0),
        );
        const lean = pruned(network, bench);
        for (const input of allInputs(wires)) assert.equal(runOne(lean, input), runOne(network, input));
      }
    }
  });

  it("four layers of Green's network leave 168 inputs of 65,536", () => {
    assert.equal(outputsOf(greenPrefix(16, 4), allInputs(16)).length, 168);
  });

  it("edits give networks: two ends of each comparator, the first before the second", () => {
    const random = seededRandom(2);
    let network: Network = four;
    for (let time = 0; time < 2_000; time++) {
      network = edited(network, 6, 4, random);
      assert.equal(network.length % 2, 0);
      for (let at = 0; at < network.length; at += 2) assert.ok(network[at]! < network[at + 1]! && network[at + 1]! < 6);
    }
  });
});

describe("hunting small networks", () => {
  for (const [wires, size] of [
    [5, 9],
    [6, 12],
    [7, 16],
  ] as const) {
    it(`finds ${size} comparators for ${wires} wires (seeds 1, 2, 3)`, () => {
      for (const seed of [1, 2, 3]) {
        const hunt = new NetworkHunt(wires, seed);
        for (let round = 0; round < 200 && hunt.size > size; round++) hunt.step(5_000);
        assert.equal(hunt.size, size, `seed ${seed}`);
        assert.ok(sorts(hunt.network, fullBench(wires)));
      }
    });
  }

  it("a run that is stopped reports what it has", async () => {
    const signal = AbortSignal.abort();
    const context = { seed: 1, workers: 1, data: undefined, vault: undefined, signal, progress: () => undefined };
    const report = await sortingNetwork.run({ ...context, budget: { kind: "ms", ms: 3_600_000 } });
    assert.ok(Number.isFinite(report.figures["size-16"]));
  });

  it("a run of the experiment is the same for a seed, and stays within its budget", async () => {
    const { signal } = new AbortController();
    const context = { seed: 3, workers: 1, data: undefined, vault: undefined, signal, progress: () => undefined };
    const run = () => sortingNetwork.run({ ...context, budget: { kind: "evaluations", evaluations: 4_000 } });
    const [one, other] = [await run(), await run()];
    assert.deepEqual(one, other);
    assert.equal(one.evaluations, 4_000);
  });
});

describe("networks against inputs", () => {
  it("each arm is the same for a seed", () => {
    const options = { wires: 6, size: 14, evaluations: 50_000, seed: 4 };
    for (const arm of ["fixed", "redrawn", "red"] as const) assert.equal(duel(arm, options), duel(arm, options));
  });

  it("with a budget for nothing, all arms keep the network that they began with", () => {
    const options = { wires: 8, size: 20, evaluations: 1, seed: 9 };
    const counts = (["fixed", "redrawn", "red"] as const).map((arm) => duel(arm, options));
    assert.equal(new Set(counts).size, 1);
    assert.ok(counts[0]! > 0);
  });

  it("with enough of it, inputs that are bred against a network leave none unsorted", () => {
    assert.equal(duel("red", { wires: 6, size: 18, evaluations: 3_000_000, seed: 1 }), 0);
  });
});

describe("the paired test", () => {
  for (const [title, first, second, expected] of [
    ["all lower: one pattern of 2^5", [1, 2, 3, 4, 5], [2, 4, 6, 8, 10], 1 / 32],
    ["all higher: every pattern", [2, 4, 6], [1, 2, 3], 1],
    ["no pair differs: nothing is known", [1, 1], [1, 1], 1],
    // Differences -1, -2, 3: positive ranks sum to 3; sums up to 3 have {} {1} {2} {1,2} {3} of 8.
    ["one against two", [1, 1, 4], [2, 3, 1], 5 / 8],
    // Differences -1, -1, 1 share a rank of 2: the positive sum is 2 or less in {} and three single ones.
    ["equal differences", [1, 1, 2], [2, 2, 1], 4 / 8],
  ] as const) {
    it(title, () => assert.equal(pairedTest(first, second).p, expected));
  }
});
