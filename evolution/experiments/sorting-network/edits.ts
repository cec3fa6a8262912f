/**
 * Small changes of a network (after the mutations of bertdobbelaere/SorterHunter), and networks to begin with.
 */
import type { Random } from "../../../runtime/index.ts";
import { below } from "../../population/chance.ts";
import { failures, type Bench, type Network } from "./network.ts";

/** The network with one to `editsMax` small changes. */
export function edited(network: Network, wires: number, editsMax: number, random: Random): Network {
  const pairs = [...network];
  for (let edits = 1 + below(random, editsMax); edits > 0; edits--) edit(pairs, wires, random);
  return Uint8Array.from(pairs);
}

function edit(pairs: number[], wires: number, random: Random): void {
  const count = pairs.length / 2;
  if (count < 2) return insert(pairs, wires, random);
  const one = 2 * below(random, count);
  const other = 2 * below(random, count);
  switch (below(random, 6)) {
    case 0:
      pairs.splice(one, 2);
      return;
    case 1: // two comparators change places
      return exchange(pairs, one, other);
    case 2: {
      const [low, high] = drawPair(wires, random);
      pairs[one] = low;
      pairs[one + 1] = high;
      return;
    }
    case 3: // two comparators exchange an end
      return cross(pairs, one, other, random);
    case 4: {
      // One end of a comparator moves.
      const end = one + below(random, 2);
      pairs[end] = below(random, wires);
      return straighten(pairs, one, wires, random);
    }
    default:
      return moveTo(pairs, one, other);
  }
}

function insert(pairs: number[], wires: number, random: Random): void {
  pairs.splice(2 * below(random, pairs.length / 2 + 1), 0, ...drawPair(wires, random));
}

function exchange(pairs: number[], one: number, other: number): void {
  for (const end of [0, 1]) [pairs[one + end], pairs[other + end]] = [pairs[other + end]!, pairs[one + end]!];
}

function cross(pairs: number[], one: number, other: number, random: Random): void {
  const [a, b, c, d] = [pairs[one]!, pairs[one + 1]!, pairs[other]!, pairs[other + 1]!];
  if (new Set([a, b, c, d]).size < 4) return;
  const isTwisted = below(random, 2) === 1;
  const ends = isTwisted ? [a, d, c, b] : [a, c, b, d];
  [pairs[one], pairs[one + 1]] = [Math.min(ends[0]!, ends[1]!), Math.max(ends[0]!, ends[1]!)];
  [pairs[other], pairs[other + 1]] = [Math.min(ends[2]!, ends[3]!), Math.max(ends[2]!, ends[3]!)];
}

function moveTo(pairs: number[], from: number, to: number): void {
  const [low = 0, high = 1] = pairs.splice(from, 2);
  pairs.splice(Math.min(to, pairs.length), 0, low, high);
}

/** A comparator has two different ends, the smaller first. */
function straighten(pairs: number[], at: number, wires: number, random: Random): void {
  const [a, b] = [pairs[at]!, pairs[at + 1]!];
  const [low, high] = a === b ? drawPair(wires, random) : [Math.min(a, b), Math.max(a, b)];
  pairs[at] = low;
  pairs[at + 1] = high;
}

/** Two different wires, the smaller first. */
export function drawPair(wires: number, random: Random): readonly [number, number] {
  const one = below(random, wires);
  const other = (one + 1 + below(random, wires - 1)) % wires;
  return [Math.min(one, other), Math.max(one, other)];
}

/** Comparators at random, until all of the bench's inputs are sorted. */
export function randomSorter(bench: Bench, random: Random): Network {
  const { wires } = bench.inputs;
  let network: Network = new Uint8Array(0);
  while (failures(network, bench).some((failed) => failed !== 0)) {
    network = Uint8Array.from([...network, ...Array.from({ length: 4 }, () => drawPair(wires, random)).flat()]);
  }
  return network;
}

/** A first layer: wires 2 i and 2 i + 1. The smallest networks known for up to 16 wires can be written to begin with it. */
export function firstLayer(wires: number): Network {
  return Uint8Array.from(Array.from({ length: Math.floor(wires / 2) }, (_, pair) => [2 * pair, 2 * pair + 1]).flat());
}

/** The first `layers` layers of Green's network: wires that differ in bit 0, then in bit 1, and so on. For 2^k wires. */
export function greenPrefix(wires: number, layers: number): Network {
  const pairs: number[] = [];
  for (let layer = 0; layer < layers; layer++)
    for (let wire = 0; wire < wires; wire++) if (((wire >>> layer) & 1) === 0) pairs.push(wire, wire | (1 << layer));
  return Uint8Array.from(pairs);
}
