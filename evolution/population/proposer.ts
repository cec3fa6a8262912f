/**
 * From slots to children: each slot's mutator is asked, and its first proposal that is new and allowed becomes the child.
 *
 *   slot 0 ──ask── look ── child                  a few are asked ahead,
 *   slot 1 ──ask ─ ─ ─ ─ look ── none             and looked at in the order of the slots:
 *   slot 2 ──ask ─ ─ ─ ─ ─ ─ ─ ─ look ── child    so who comes first is never a race
 *
 * Invariants
 * 1. What a slot draws depends on its ground and on the slots before it, never on when answers arrive.
 * 2. A mutator whose caps are spent is not asked again. When nobody is left, the slots end there; the one that found it out is not
 *    kept, so that whoever goes on with larger caps asks it once more.
 */
import type { Clock } from "../../vault/index.ts";
import type { EvolutionErrorCode } from "../errors.ts";
import { EvolutionError } from "../errors.ts";
import type { Coverage, MutationGround, Mutator, Proposal } from "../mutation/mutator.ts";
import { applyEdits } from "../mutation/edit.ts";
import type { Edit } from "../mutation/edit.ts";
import { PROGRAM_CHARACTERS_MAX } from "../population-options.ts";
import { within } from "./bounded.ts";
import { Echoes } from "./echoes.ts";
import { difference, isWithin } from "./evolvable.ts";
import type { RefusedProposal } from "./events.ts";
import { programId } from "./individual.ts";
import type { Individual } from "./individual.ts";
import type { Drawn, RunJournal } from "./run-journal.ts";

/** Slots whose mutators are asked before it is their turn. */
const AHEAD_MAX = 8;
/** Proposals that a slot may draw until one is new … */
const DRAWS_MAX = 16;
/** … and where each may cost money. */
const DRAWS_MAX_PAID = 2;
/** A mutator that says nothing for so long has failed, in ms. */
const SILENCE_MS = 600_000;
/** Slots of one mutator that failed in a row, before the run ends. */
const FAILURES_MAX = 8;

/** A slot whose turn comes. */
export interface Slot {
  readonly number: number;
  readonly mutator: Mutator;
  readonly ground: MutationGround;
}

/** What proposing works with. */
export interface ProposerParts {
  readonly journal: RunJournal;
  /** All of the run. */
  readonly mutators: readonly Mutator[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** What the parent's cases passed; for mutators of syntax trees. */
  readonly coverageOf: (parent: Individual) => Promise<Coverage | undefined>;
  /** True for a program that was never run; from then on it was. */
  readonly isNew: (program: Pick<Individual, "id" | "text">) => boolean;
}

/** A slot and what it drew. */
export interface DrawnSlot {
  readonly slot: Slot;
  readonly drawn: Drawn;
}

/** What a mutator throws that must not cost any more. */
const SPENT: ReadonlySet<EvolutionErrorCode> = new Set([
  "EVOLUTION_MODEL_CALLS_SPENT",
  "EVOLUTION_MODEL_TOKENS_SPENT",
  "EVOLUTION_MODEL_MONEY_SPENT",
  "EVOLUTION_MODEL_FAILING",
]);

/** See the header. One for a run: it remembers who failed in a row, and who is spent. */
export class Proposer {
  readonly #parts: ProposerParts;
  readonly #failures = new Map<string, number>();
  readonly #echoes = new Echoes();
  /** By mutator, the code of what it threw. */
  readonly #spent = new Map<string, string>();

  constructor(parts: ProposerParts) {
    this.#parts = parts;
  }

  /**
   * What the slots draw, one by one in their order, until there are `childrenMax` children; nobody is asked for more than that.
   * Rejects with EVOLUTION_MUTATOR_FAILED, or with the signal's reason; the mutators that were asked are told to stop.
   */
  async *draw(slots: readonly Slot[], childrenMax: number): AsyncGenerator<DrawnSlot, void, void> {
    const { journal, signal } = this.#parts;
    const asked = new Map<number, Inquiry>();
    let next = 0;
    let left = childrenMax;
    try {
      for (const slot of slots) {
        if (left <= 0) return;
        for (; next < slots.length && next < slot.number + Math.min(left, AHEAD_MAX); next++) {
          const ahead = slots[next];
          if (ahead === undefined || this.#spent.has(ahead.mutator.id)) continue;
          if (journal.proposed(ahead.number, askedOf(ahead)) === undefined) asked.set(ahead.number, this.#ask(ahead));
        }
        const known = journal.proposed(slot.number, askedOf(slot));
        const inquiry = asked.get(slot.number);
        asked.delete(slot.number);
        const drawn = known ?? (inquiry === undefined ? this.#unasked(slot) : await this.#look(slot, inquiry));
        signal.throwIfAborted();
        if (known !== undefined) this.#remember(slot, known);
        else if (this.#isNobodyLeft) return;
        journal.keepProposed(slot.number, askedOf(slot), drawn);
        if (drawn.child !== undefined) left -= 1;
        yield { slot, drawn };
      }
    } finally {
      for (const { end } of asked.values()) end();
    }
  }

  #ask({ mutator, ground }: Slot): Inquiry {
    const { clock, signal, coverageOf } = this.#parts;
    const count = mutator.kind === "llm" ? DRAWS_MAX_PAID : DRAWS_MAX;
    let proposals: AsyncIterator<Proposal> | undefined;
    const next = async (): Promise<Answer> => {
      try {
        if (proposals === undefined) {
          const coverage = mutator.kind === "ast" ? await coverageOf(ground.parent) : undefined;
          proposals = mutator.propose({ ...ground, coverage }, count, signal)[Symbol.asyncIterator]();
        }
        return { result: await within(proposals.next(), { clock, ms: SILENCE_MS, signal, late: silent }) };
      } catch (error) {
        return { error }; // looked at when it is the slot's turn
      }
    };
    // It stands at a proposal, so it ends at once; what it does then is its own business.
    const end = (): void => void proposals?.return?.().catch(() => undefined);
    return { first: next(), next, end, count };
  }

  /** Looks at one proposal after the other until one can be run. */
  async #look(slot: Slot, { first, next, end, count }: Inquiry): Promise<Drawn> {
    const refused: Partial<Record<RefusedProposal, number>> = {};
    let usd = 0;
    let tokens = 0;
    let looked = 0;
    try {
      for (let answer = await first; looked < count; answer = await next()) {
        if ("error" in answer) return { ...this.#failed(slot, answer.error), refused, count: looked, usd, tokens };
        if (answer.result.done === true) break;
        this.#failures.delete(slot.mutator.id);
        const proposal = answer.result.value;
        looked += 1;
        usd += proposal.meta?.usd ?? 0;
        tokens += (proposal.meta?.tokensIn ?? 0) + (proposal.meta?.tokensOut ?? 0);
        const child = childOf(slot.ground.parent, proposal);
        const why = typeof child === "string" ? child : this.#whyKnown(slot, child);
        if (typeof child !== "string" && why === undefined) {
          const note = proposal.note === undefined ? {} : { note: proposal.note };
          return { child: { edits: child.edits, ...note }, refused, count: looked, usd, tokens };
        }
        if (why !== undefined) refused[why] = (refused[why] ?? 0) + 1;
        if (looked === count) break;
      }
      return { refused, count: looked, usd, tokens };
    } finally {
      end();
    }
  }

  /** Its mutator was spent before it could be asked. */
  #unasked({ mutator }: Slot): Drawn {
    const spent = this.#spent.get(mutator.id);
    return spent === undefined ? NOTHING : { ...NOTHING, spent };
  }

  get #isNobodyLeft(): boolean {
    return this.#parts.mutators.every(({ id }) => this.#spent.has(id));
  }

  /** Why the child is not run; it is known from here on where it is. What is alike is not remembered: a replay does not see it. */
  #whyKnown({ mutator, ground: { parent } }: Slot, child: Child): "alike" | "seen" | undefined {
    const change = { parent, edits: child.edits, id: child.id };
    if (mutator.kind === "llm" && this.#echoes.has(change)) return "alike";
    if (!this.#parts.isNew(child)) return "seen";
    if (mutator.kind === "llm") this.#echoes.add(change);
    return undefined;
  }

  #failed({ mutator }: Slot, error: unknown): { readonly failure: string; readonly spent?: string } {
    this.#parts.signal.throwIfAborted();
    // Not its own: the program that it was to change could not be run.
    if (error instanceof EvolutionError && error.code === "EVOLUTION_EVALUATOR_FAILED") throw error;
    if (error instanceof EvolutionError && SPENT.has(error.code)) {
      this.#spent.set(mutator.id, error.code);
      // Out of questions is an end; out of answers is a fault.
      if (error.code !== "EVOLUTION_MODEL_FAILING" || !this.#isNobodyLeft)
        return { failure: error.message, spent: error.code };
      throw this.#over(mutator, "cannot be asked any more, and nobody else is left", error);
    }
    const failures = (this.#failures.get(mutator.id) ?? 0) + 1;
    this.#failures.set(mutator.id, failures);
    const message = error instanceof Error ? error.message : String(error);
    if (failures < FAILURES_MAX) return { failure: message };
    throw this.#over(mutator, `failed ${failures} times in a row`, error);
  }

  #over({ id }: Mutator, what: string, cause: unknown): EvolutionError {
    const message = cause instanceof Error ? cause.message : String(cause);
    return new EvolutionError(
      "EVOLUTION_MUTATOR_FAILED",
      `${id} ${what}, the last time with: ${message}; mend it and run again: the run goes on where it ended`,
      { cause, details: { mutator: id } },
    );
  }

  /** What was drawn before is not new any more. */
  #remember({ ground, mutator }: Slot, { child, spent }: Drawn): void {
    if (spent !== undefined) this.#spent.set(mutator.id, spent);
    if (child === undefined) return;
    const { parent } = ground;
    const text = applyEdits(parent.text, child.edits);
    const id = programId(text);
    this.#parts.isNew({ id, text });
    if (mutator.kind === "llm") this.#echoes.add({ parent, edits: child.edits, id });
  }
}

interface Inquiry {
  readonly first: Promise<Answer>;
  readonly next: () => Promise<Answer>;
  /** Nothing more is asked. */
  readonly end: () => void;
  readonly count: number;
}

type Answer = { readonly result: IteratorResult<Proposal, unknown> } | { readonly error: unknown };

function askedOf({ mutator, ground }: Slot): string {
  return `${mutator.id} for ${ground.parent.id.slice(0, 16)}`;
}

function silent(): Error {
  return new Error(`it said nothing for ${SILENCE_MS} ms`);
}

const NOTHING: Drawn = { refused: {}, count: 0, usd: 0, tokens: 0 };

/** A program that a proposal makes. */
interface Child {
  readonly id: string;
  readonly text: string;
  readonly edits: readonly Edit[];
}

/** The text that a proposal makes of its parent, with its edits; or why there is none. */
export function childOf(
  parent: Pick<Individual, "id" | "text" | "evolvable">,
  { edits: proposed }: Pick<Proposal, "edits">,
): Child | Exclude<RefusedProposal, "seen" | "alike"> {
  const edits = "full" in proposed ? [difference(parent.text, proposed.full)] : proposed;
  const length = edits.reduce((sum, edit) => sum + edit.text.length - (edit.end - edit.start), parent.text.length);
  if (length > PROGRAM_CHARACTERS_MAX) return "too_large";
  let text: string;
  try {
    text = applyEdits(parent.text, edits);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return "torn";
  }
  const id = programId(text);
  if (id === parent.id) return "same";
  return isWithin(edits, parent.evolvable) ? { id, text, edits } : "outside";
}
