/**
 * What the cases of a parent passed in its text, for mutators that look for the fault where failing cases were and passing ones were
 * not. A parent is run once more for it, on a few cases of each kind, when it is first asked about: far fewer programs become
 * parents than are run, and what is repeated from a journal asks nobody.
 */
import type { Coverage } from "../mutation/mutator.ts";
import type { Evaluator } from "./evaluator.ts";
import type { Individual } from "./individual.ts";
import type { Problem } from "./problem.ts";

/** Cases that fail, and cases that pass, that a parent is run on. */
const CASES_MAX = 12;
/** Parents whose coverage is kept: more than live on all islands by default. */
const KEPT_MAX = 256;

/** What it works with. */
export interface SpectraParts {
  readonly evaluator: Pick<Evaluator, "detail">;
  readonly problem: Pick<Problem, "cases">;
}

/** See the header. One for a run. */
export class Spectra {
  readonly #parts: SpectraParts;
  readonly #kept = new Map<string, Promise<Coverage | undefined>>();
  /** The runner was asked and cannot tell. */
  #isBlind = false;

  constructor(parts: SpectraParts) {
    this.#parts = parts;
  }

  /** Coverage of a parent; `undefined` where it fails nothing, or the runner cannot tell. Rejects with what `Evaluator` rejects with. */
  async of(parent: Individual): Promise<Coverage | undefined> {
    if (this.#isBlind) return undefined;
    const known = this.#kept.get(parent.id) ?? this.#find(parent);
    this.#kept.delete(parent.id);
    this.#kept.set(parent.id, known);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= KEPT_MAX) break;
      this.#kept.delete(oldest);
    }
    return await known;
  }

  async #find(parent: Individual): Promise<Coverage | undefined> {
    const { evaluator, problem } = this.#parts;
    const places = [...parent.scores.keys()];
    const failed = spread(places.filter((place) => parent.scores[place] !== 1));
    const passed = spread(places.filter((place) => parent.scores[place] === 1));
    if (failed.length === 0) return undefined;
    const chosen = [...failed, ...passed].flatMap((place) => problem.cases[place] ?? []);
    const detail = await evaluator.detail(parent, chosen);
    if (detail === undefined) {
      this.#isBlind = true;
      return undefined;
    }
    const runs = detail.counts.flatMap((counts, index) =>
      counts === undefined ? [] : [{ hasPassed: index >= failed.length, counts }],
    );
    return { blocks: detail.blocks, runs };
  }
}

/** As many as may be, from all over the list. */
function spread(list: readonly number[]): readonly number[] {
  const count = Math.min(CASES_MAX, list.length);
  return Array.from({ length: count }, (_, index) => list[Math.floor((index * list.length) / count)] ?? 0);
}
