/**
 * Mutators over the operators: one change drawn by weights, all changes one after the other, or two changes at once.
 */
import type { Random } from "../../runtime/index.ts";
import { below, weighted } from "../population/chance.ts";
import { isWithin } from "../population/evolvable.ts";
import type { Edit } from "./edit.ts";
import { applyEdits, areApart } from "./edit.ts";
import { Kept } from "./kept.ts";
import type { MutationGround, Mutator, Proposal } from "./mutator.ts";
import type { Change, Ground, Operator } from "./operator.ts";
import { changesOf, operators, yields } from "./operators.ts";
import { readProgram } from "./program.ts";
import { declarationsOf } from "./scope.ts";
import type { Suspicion } from "./suspicion.ts";
import { suspicionOf } from "./suspicion.ts";

/** What to draw from. */
export interface DrawOptions {
  /** Default "ast". */
  readonly id?: string | undefined;
  /** Default: all. */
  readonly operators?: readonly Operator[] | undefined;
  /** How often each is drawn, by its id; default `yields`, and 1 for those it does not name. */
  readonly weights?: ReadonlyMap<string, number> | undefined;
}

/** Draws of one proposal before it is given up: an operator may have nothing, a change may have been drawn. */
const DRAWS_MAX = 50;
/** Programs whose trees, and whose changes, are kept. */
const GROUNDS_MAX = 64;
const NEIGHBOURHOODS_MAX = 4;

const grounds = new Kept<Ground | undefined>(GROUNDS_MAX, (text) => {
  const program = readProgram(text);
  return program === undefined ? undefined : { program, declarations: declarationsOf(program) };
});

/** One change by chance: an operator by its weight, then one of its changes, suspicious places first. */
export function drawnMutator({ id = "ast", ...options }: DrawOptions = {}): Mutator {
  return {
    id,
    kind: "ast",
    async *propose(ground, count, signal) {
      const hand = handOf(ground, options);
      if (hand === undefined) return;
      const told = new Told(ground.parent.text);
      while (told.count < count && !signal.aborted) {
        const change = drawUntil(
          () => hand.draw(),
          ({ edits }) => told.isNew(edits),
        );
        if (change === undefined) return;
        yield { edits: change.edits, note: change.operator };
      }
    },
  };
}

/** Two changes at once, far enough apart, suspicious places first: what no single change repairs. */
export function pairMutator({ id = "pair", ...options }: DrawOptions = {}): Mutator {
  return {
    id,
    kind: "ast",
    async *propose(ground, count, signal) {
      const hand = handOf(ground, options);
      if (hand === undefined) return;
      const told = new Told(ground.parent.text);
      while (told.count < count && !signal.aborted) {
        const pair = drawUntil(
          () => pairOf(hand.draw(), hand.draw()),
          ({ edits }) => told.isNew(edits),
        );
        if (pair === undefined) return;
        yield pair;
      }
    },
  };
}

function pairOf(
  a: Change | undefined,
  b: Change | undefined,
): (Proposal & { readonly edits: readonly Edit[] }) | undefined {
  if (a === undefined || b === undefined || !areApart(a.edits, b.edits)) return undefined;
  return { edits: [...a.edits, ...b.edits], note: `${a.operator} and ${b.operator}` };
}

/**
 * Every change once, the operators in their order; `ground.proposed` says how many were proposed before. It draws nothing, so two
 * searches walk the same way.
 */
export function enumeratingMutator({ id = "all", operators: chosen = operators }: DrawOptions = {}): Mutator {
  const neighbourhoods = new Kept<readonly Change[]>(NEIGHBOURHOODS_MAX, (text) => distinct(text, chosen));
  return {
    id,
    kind: "ast",
    async *propose({ parent, proposed = 0, evolvable }, count, signal) {
      const changes = neighbourhoods.get(parent.text).filter(({ edits }) => isWithin(edits, evolvable));
      for (const { edits, operator } of changes.slice(proposed, proposed + count)) {
        if (signal.aborted) return;
        yield { edits, note: operator };
      }
    },
  };
}

function distinct(text: string, chosen: readonly Operator[]): readonly Change[] {
  const program = readProgram(text);
  if (program === undefined) return [];
  const told = new Told(text);
  return [...changesOf(program, chosen)].filter(({ edits }) => told.isNew(edits));
}

/** Texts that were proposed; the parent's own is one. */
class Told {
  readonly #parent: string;
  readonly #texts: Set<string>;

  constructor(parent: string) {
    this.#parent = parent;
    this.#texts = new Set([parent]);
  }

  get count(): number {
    return this.#texts.size - 1;
  }

  isNew(edits: readonly Edit[]): boolean {
    const text = applyEdits(this.#parent, edits);
    const isNew = !this.#texts.has(text);
    this.#texts.add(text);
    return isNew;
  }
}

function drawUntil<T>(draw: () => T | undefined, isGood: (drawn: T) => boolean): T | undefined {
  for (let draws = 0; draws < DRAWS_MAX; draws++) {
    const drawn = draw();
    if (drawn !== undefined && isGood(drawn)) return drawn;
  }
  return undefined;
}

/** Draws changes of one program. */
interface Hand {
  draw(): Change | undefined;
}

function handOf(
  { parent, random, evolvable, coverage }: MutationGround,
  { operators: chosen = operators, weights = yields }: DrawOptions,
): Hand | undefined {
  const ground = grounds.get(parent.text);
  if (ground === undefined) return undefined;
  const suspicion = suspicionOf(coverage);
  const known = new Map<Operator, readonly Change[]>();
  return {
    draw() {
      const operator = weighted(random, chosen, ({ id }) => weights.get(id) ?? 1);
      if (operator === undefined) return undefined;
      const changes =
        known.get(operator) ??
        [...operator.changes(ground)]
          .filter((edits) => isWithin(edits, evolvable))
          .map((edits) => ({ operator: operator.id, edits }));
      known.set(operator, changes);
      return suspect(random, changes, suspicion);
    },
  };
}

/** One of them, each with a chance that goes with how suspicious its place is: drawn evenly, and taken with that chance. */
function suspect(random: Random, changes: readonly Change[], suspicion: Suspicion): Change | undefined {
  if (changes.length === 0) return undefined;
  for (let draws = 0; ; draws++) {
    const change = changes[below(random, changes.length)];
    const start = change?.edits[0]?.start ?? 0;
    if (draws === DRAWS_MAX || random.next32() / 2 ** 32 < suspicion(start)) return change;
  }
}
