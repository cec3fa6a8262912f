/**
 * What a run leaves in the vault, line by line, and how it is resumed: the same search runs again from its beginning, and whatever the
 * journal knows is not asked again.
 *
 *   run | proposed … evaluated … generation | proposed … evaluated … generation | proposed … (end of the process)
 *         `----------- whole: repeats -----'                                       `- begun: what is there counts
 *
 * Invariants
 * 1. One line of the vault is a batch of ours, whole or not there at all; batches are in the order of writing.
 * 2. A slot's proposal is decided once: who resumes takes it from here, and pays no model twice.
 * 3. A generation's line names the hash of all that the run knew then; a replay that comes to another one is an error.
 * 4. At most one generation is in memory.
 * 5. A generation that a budget cut is not whole: its proposals stay, and a larger budget makes it whole. What was found out in a
 *    cut is marked with it.
 */
import type { Journal } from "../../runtime/index.ts";
import { EvolutionError } from "../errors.ts";
import type { Edit } from "../mutation/edit.ts";
import type { RefusedProposal } from "./events.ts";
import type { Evaluation } from "./individual.ts";
import type { CaseFailure } from "./individual.ts";
import { readOutcome, writeOutcome } from "./outcome-text.ts";
import type { Case } from "./problem.ts";

/** What a slot drew. */
export interface Drawn {
  readonly child?: { readonly edits: readonly Edit[]; readonly note?: string };
  readonly refused: Readonly<Partial<Record<RefusedProposal, number>>>;
  /** Proposals that were looked at. */
  readonly count: number;
  readonly usd: number;
  readonly tokens: number;
  /** The mutator threw this. */
  readonly failure?: string;
  /** The mutator's caps are spent: it is not asked any more. The code of its error. */
  readonly spent?: string;
}

/** What a run is: two that differ here cannot go on for each other. */
export type RunIdentity = Readonly<Record<string, string | number>>;

/** An evaluation as it is kept: cases by name, values as texts. */
type KeptEvaluation = Omit<Evaluation, "failures"> & {
  readonly failures: readonly {
    readonly caseId: string;
    readonly outcome: readonly [string, string];
    readonly score: number;
  }[];
};

type Line =
  | { readonly type: "run"; readonly identity: RunIdentity }
  /** `by`: the mutator and the parent that it was asked with. */
  | { readonly type: "proposed"; readonly slot: number; readonly by: string; readonly drawn: Drawn }
  /** `cut`: found out in a generation that ended after so many children. */
  | { readonly type: "evaluated"; readonly id: string; readonly evaluation: KeptEvaluation; readonly cut?: number }
  | { readonly type: "cut"; readonly children: number; readonly hash: string }
  | { readonly type: "generation"; readonly generation: number; readonly hash: string };

/** Characters after which a batch is written: what is lost when the process ends. */
const BATCH_CHARACTERS_MAX = 64 * 1024;
const BATCH_LINES_MAX = 64;

/** See the header. Without a journal it keeps nothing and knows nothing. */
export class RunJournal {
  readonly #journal: Journal | undefined;
  readonly #cases: ReadonlyMap<string, Case>;
  readonly #old: Iterator<Line>;
  #proposed = new Map<number, { readonly by: string; readonly drawn: Drawn }>();
  #evaluated = new Map<string, Evaluation>();
  /** Hashes of the generation at hand where it was cut, by its children. */
  #cuts = new Map<number, string>();
  /** The hash of the generation at hand, where it is whole. */
  #hash: string | undefined;
  #isAtEnd = false;
  #batch: string[] = [];
  #batchCharacters = 0;
  readonly #writing = new Set<Promise<unknown>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(journal: Journal | undefined, cases: readonly Case[]) {
    this.#journal = journal;
    this.#cases = new Map(cases.map((each) => [each.id, each]));
    this.#old = linesOf(journal);
  }

  /** The identity of the run that is kept; begins a run with this one where there is none. */
  identify(identity: RunIdentity): RunIdentity {
    const first = this.#old.next();
    if (first.done !== true && first.value.type === "run") return first.value.identity;
    this.#isAtEnd = true;
    this.#write({ type: "run", identity });
    return identity;
  }

  /** Reads what is known of the next generation. */
  beginGeneration(): void {
    this.#proposed = new Map();
    this.#evaluated = new Map();
    this.#cuts = new Map();
    this.#hash = undefined;
    while (!this.#isAtEnd) {
      const next = this.#old.next();
      if (next.done === true) {
        this.#isAtEnd = true;
        return;
      }
      const line = next.value;
      if (line.type === "proposed") this.#proposed.set(line.slot, line);
      if (line.type === "evaluated") this.#evaluated.set(keyOf(line.id, line.cut), this.#restored(line.evaluation));
      if (line.type === "cut") this.#cuts.set(line.children, line.hash);
      if (line.type === "generation") {
        this.#hash = line.hash;
        return;
      }
    }
  }

  /** True while the generation at hand is one that was whole before. */
  get isReplay(): boolean {
    return this.#hash !== undefined;
  }

  /** What the slot drew before. Throws EVOLUTION_REPLAY_DIVERGED where somebody else was asked in it. */
  proposed(slot: number, by: string): Drawn | undefined {
    const known = this.#proposed.get(slot);
    if (known !== undefined && known.by !== by) throw diverged(`slot ${slot} was drawn by ${known.by}, and not ${by}`);
    return known?.drawn;
  }

  /** What the program's evaluation was in this generation, or in its cut after so many children. */
  evaluated(id: string, cut?: number): Evaluation | undefined {
    return this.#evaluated.get(keyOf(id, cut));
  }

  /** Keeps what a slot drew; at once where it cost money. */
  keepProposed(slot: number, by: string, drawn: Drawn): void {
    if (this.#proposed.has(slot)) return;
    this.#write({ type: "proposed", slot, by, drawn });
    if (drawn.usd > 0) this.#flush();
  }

  /** Keeps an evaluation that is over. */
  keepEvaluated(id: string, { failures, ...evaluation }: Evaluation, cut?: number): void {
    if (this.#evaluated.has(keyOf(id, cut)) || this.isReplay) return;
    const kept = failures.map(({ caseId, outcome, score }) => ({ caseId, outcome: writeOutcome(outcome), score }));
    const marked = cut === undefined ? {} : { cut };
    this.#write({ type: "evaluated", id, evaluation: { ...evaluation, failures: kept }, ...marked });
  }

  /**
   * Closes a generation. Resolves when all generations before it are on disk. Rejects with EVOLUTION_REPLAY_DIVERGED where it was
   * whole before and had another hash, and with the vault's error when something could not be kept.
   */
  async endGeneration(generation: number, hash: string): Promise<void> {
    if (this.#hash === hash) return;
    if (this.#hash !== undefined) throw diverged(`generation ${generation} came to another end`);
    const earlier = [...this.#writing];
    this.#write({ type: "generation", generation, hash });
    this.#flush();
    await Promise.all(earlier);
    this.#throwIfFailed();
  }

  /**
   * Notes that a budget ended the generation after so many children: it is not whole, and whoever goes on makes it so. Rejects with
   * EVOLUTION_REPLAY_DIVERGED where it was cut there before and had another hash, and with the vault's error.
   */
  async cutGeneration(children: number, hash: string): Promise<void> {
    const known = this.#cuts.get(children);
    if (known !== undefined && known !== hash) throw diverged("its last generation, cut short, came to another end");
    if (known === undefined && !this.isReplay) this.#write({ type: "cut", children, hash });
    await this.flushed();
  }

  /** Everything so far is on disk when it resolves. Rejects with the vault's error. */
  async flushed(): Promise<void> {
    this.#flush();
    await Promise.all(this.#writing);
    this.#throwIfFailed();
  }

  #write(line: Line): void {
    if (this.#journal === undefined) return;
    const text = JSON.stringify(line);
    this.#batch.push(text);
    this.#batchCharacters += text.length;
    if (this.#batch.length >= BATCH_LINES_MAX || this.#batchCharacters >= BATCH_CHARACTERS_MAX) this.#flush();
  }

  #flush(): void {
    if (this.#journal === undefined || this.#batch.length === 0) return;
    const written: Promise<unknown> = this.#journal.append(this.#batch.join("\n")).then(
      () => this.#writing.delete(written),
      (error: unknown) => {
        this.#writing.delete(written);
        this.#failure ??= { error };
      },
    );
    this.#writing.add(written);
    this.#batch = [];
    this.#batchCharacters = 0;
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #restored({ failures, ...evaluation }: KeptEvaluation): Evaluation {
    const shown: CaseFailure[] = failures.map(({ caseId, outcome, score }) => ({
      caseId,
      args: this.#cases.get(caseId)?.args ?? [],
      outcome: readOutcome(outcome),
      score,
    }));
    return { ...evaluation, failures: shown };
  }
}

function diverged(what: string): EvolutionError {
  return new EvolutionError(
    "EVOLUTION_REPLAY_DIVERGED",
    `this run does not repeat what is kept of it: ${what}; a mutator, a score or a runner is not what it was: begin a run of another name`,
  );
}

function keyOf(id: string, cut: number | undefined): string {
  return cut === undefined ? id : `${id} ${cut}`;
}

function* linesOf(journal: Journal | undefined): Iterator<Line> {
  for (const batch of journal?.entries() ?? []) for (const text of batch.split("\n")) yield JSON.parse(text) as Line; // we wrote it
}
