/**
 * The search's own part: how a layout becomes another one. A layout is a list of centres; radii follow from them.
 */
import type { Random } from "../../../runtime/index.ts";
import { below } from "../../population/chance.ts";
import { fraction, normal } from "../draws.ts";
import type { Packing } from "./packing.ts";

/** A move: a new layout from one or two others. Its radii mean nothing yet. */
export interface Move {
  readonly id: string;
  readonly make: (parent: Packing, mate: Packing, random: Random) => Packing;
}

/** Centres at random. */
export function randomLayout(circles: number, random: Random): Packing {
  return new Float64Array(3 * circles).map(() => fraction(random));
}

/** All moves, in the order in which reports name them. */
export const moves: readonly Move[] = [
  { id: "shake all", make: (parent, _, random) => shaken(parent, 0.005 * 20 ** fraction(random), random) },
  { id: "shake a place", make: (parent, _, random) => shakenPlace(parent, random) },
  { id: "carry one into a gap", make: (parent, _, random) => carried(parent, 1, random) },
  { id: "carry two into gaps", make: (parent, _, random) => carried(parent, 2, random) },
  { id: "exchange two", make: (parent, _, random) => exchanged(parent, random) },
  { id: "cross", make: crossed },
];

function shaken(parent: Packing, by: number, random: Random): Packing {
  return parent.map((value) => value + by * normal(random));
}

/** Every circle near a point gets a new place near that point. */
function shakenPlace(parent: Packing, random: Random): Packing {
  const [x, y] = [fraction(random), fraction(random)];
  const reach = 0.15 + 0.25 * fraction(random);
  const by = reach * (0.1 + 0.4 * fraction(random));
  const layout = parent.slice();
  for (let i = 0; i < layout.length; i += 3) {
    if (Math.hypot(layout[i]! - x, layout[i + 1]! - y) > reach) continue;
    layout[i]! += by * normal(random);
    layout[i + 1]! += by * normal(random);
  }
  return layout;
}

/** Takes circles out, small ones rather than large, and puts each where there is most room among a few places drawn. */
function carried(parent: Packing, count: number, random: Random): Packing {
  const layout = parent.slice();
  for (let time = 0; time < count; time++) {
    const circles = layout.length / 3;
    let taken = below(random, circles);
    for (let look = below(random, 4); look > 0; look--) {
      const other = below(random, circles);
      if (layout[3 * other + 2]! < layout[3 * taken + 2]!) taken = other;
    }
    let most = Number.NEGATIVE_INFINITY;
    for (let look = 1 + below(random, 30); look > 0; look--) {
      const [x, y] = [fraction(random), fraction(random)];
      const room = roomAt(layout, taken, x, y);
      if (room <= most) continue;
      most = room;
      layout[3 * taken] = x;
      layout[3 * taken + 1] = y;
    }
    layout[3 * taken + 2] = Math.max(0, most);
  }
  return shaken(layout, 0.002, random);
}

function roomAt(layout: Packing, taken: number, x: number, y: number): number {
  let room = Math.min(x, y, 1 - x, 1 - y);
  for (let j = 0; j < layout.length; j += 3)
    if (j !== 3 * taken) room = Math.min(room, Math.hypot(x - layout[j]!, y - layout[j + 1]!) - layout[j + 2]!);
  return room;
}

function exchanged(parent: Packing, random: Random): Packing {
  const layout = parent.slice();
  const one = 3 * below(random, layout.length / 3);
  const other = 3 * below(random, layout.length / 3);
  for (const axis of [0, 1]) [layout[one + axis], layout[other + axis]] = [layout[other + axis]!, layout[one + axis]!];
  // Two circles of one size change nothing by changing places: a shake sees to it that something does.
  return shaken(layout, 0.01, random);
}

/** One side of a line through both from one parent, the rest from the other, turned over or not; as many as there were. */
function crossed(parent: Packing, mate: Packing, random: Random): Packing {
  const turn = below(random, 8);
  const angle = 2 * Math.PI * fraction(random);
  const [a, b] = [Math.cos(angle), Math.sin(angle)];
  const side = (x: number, y: number) => a * (x - 0.5) + b * (y - 0.5);
  const sorted = (layout: Packing, sign: number) =>
    Array.from({ length: layout.length / 3 }, (_, i) => [...layout.subarray(3 * i, 3 * i + 3)]).toSorted(
      (one, other) => sign * (side(one[0]!, one[1]!) - side(other[0]!, other[1]!)),
    );
  const kept = Math.round((parent.length / 3) * (0.3 + 0.4 * fraction(random)));
  const others = sorted(turned(mate, turn), -1).slice(0, parent.length / 3 - kept);
  return shaken(Float64Array.from([...sorted(parent, 1).slice(0, kept), ...others].flat()), 0.002, random);
}

/** One of the eight ways in which a square lies on itself. */
function turned(layout: Packing, turn: number): Packing {
  const result = layout.slice();
  for (let i = 0; i < layout.length; i += 3) {
    const [x, y] = [layout[i]!, layout[i + 1]!];
    const [u, v] = turn & 1 ? [y, x] : [x, y];
    result[i] = turn & 2 ? 1 - u : u;
    result[i + 1] = turn & 4 ? 1 - v : v;
  }
  return result;
}
