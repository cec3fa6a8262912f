/**
 * The search over layouts. A few lines of descent, each with one layout at the top of its hill; a child takes its parent's place
 * when it is better, and a line that found nothing for long begins anew. Lines meet by crossing.
 *
 *   line -> move (maybe with a mate) -> refine -> better? -> line
 *
 * A layout is a list of coordinates, no program text, so this search has its own loop and not the engine's.
 *
 * Invariant: children are numbered, and all chance of a child comes from the seed and its number; the best so far only depends on how
 * many children there were.
 */
import { seededRandom } from "../../../runtime/index.ts";
import { below } from "../../population/chance.ts";
import { oneOf, seedOf } from "../draws.ts";
import { moves, randomLayout, type Move } from "./moves.ts";
import { judge, shrunk, sumOfRadii, type Packing } from "./packing.ts";
import { refine } from "./refine.ts";

/** What is searched, and from where. */
export interface LayoutSearchOptions {
  readonly circles: number;
  readonly seed: number;
}

/** The best so far, judged exactly. */
export interface Best {
  readonly packing: Packing;
  readonly sum: number;
  /** Children made before it was found, itself included. */
  readonly child: number;
  /** Who made it; "random" for a new line. */
  readonly move: string;
}

/** How often a move gave a better child, of how many. */
export interface Yield {
  readonly id: string;
  readonly better: number;
  readonly made: number;
}

const LINES = 8;
/** Children in a row without a better one, before a line begins anew. */
const STALE_MAX = 300;
/** What counts as better: above what the quick refinement leaves open. */
const BETTER = 1e-6;
/** While searching, sums are about 1e-5 below their optimum; what may be the best is refined to the last bits. */
const QUICK = { muEnd: 1e-7, stepsMax: 60 } as const;
const THOROUGH = { muEnd: 1e-15, stepsMax: 200 } as const;

interface Line {
  packing: Packing;
  sum: number;
  stale: number;
}

/** See the header. */
export class LayoutSearch {
  readonly #options: LayoutSearchOptions;
  readonly #lines: Line[] = [];
  readonly #yields = new Map(moves.map(({ id }) => [id, { better: 0, made: 0 }]));
  #children = 0;
  #best: Best | undefined;

  constructor(options: LayoutSearchOptions) {
    this.#options = options;
  }

  /** Layouts that were refined. */
  get children(): number {
    return this.#children;
  }

  /** There is one after the first step. */
  get best(): Best | undefined {
    return this.#best;
  }

  get yields(): readonly Yield[] {
    return [...this.#yields].map(([id, counts]) => ({ id, ...counts }));
  }

  /** One child. */
  step(): void {
    const { seed, circles } = this.#options;
    const random = seededRandom(seedOf(seed, this.#children));
    const at = this.#children % LINES;
    const line = this.#lines[at];
    this.#children += 1;
    if (line === undefined || line.stale >= STALE_MAX) {
      this.#lines[at] = this.#begun(refine(randomLayout(circles, random), QUICK));
      return;
    }
    const move = oneOf(random, moves);
    const mate = this.#lines[below(random, this.#lines.length)] ?? line;
    this.#settle(line, move, refine(move.make(line.packing, mate.packing, random), QUICK));
  }

  #begun(packing: Packing): Line {
    const sum = sumOfRadii(packing);
    this.#consider(packing, sum, "random");
    return { packing, sum, stale: 0 };
  }

  #settle(line: Line, { id }: Move, packing: Packing): void {
    const counts = this.#yields.get(id);
    const sum = sumOfRadii(packing);
    if (counts !== undefined) counts.made += 1;
    if (sum <= line.sum + BETTER) {
      line.stale += 1;
      return;
    }
    if (counts !== undefined) counts.better += 1;
    Object.assign(line, { packing, sum, stale: 0 });
    this.#consider(packing, sum, id);
  }

  /** Refines what may be the best and judges it; only what is feasible to the last bit counts. */
  #consider(packing: Packing, sum: number, move: string): void {
    const before = this.#best?.sum ?? 0;
    // What the quick refinement leaves open, with room.
    if (sum < before - 1e-4) return;
    const strict = shrunk(refine(packing, THOROUGH));
    if (strict === undefined) return;
    const verdict = judge(strict);
    if (verdict.isFeasible && verdict.sum > before)
      this.#best = { packing: strict, sum: verdict.sum, child: this.#children, move };
  }
}
