/**
 * What the arbiter remembers, in the vault's journal "arbiter": one line per thing that happened, and from them everything
 * that must survive a restart.
 *
 *   proposed --> (promoting -->) decided --> (rolling_back -->) probation_ended        version        frozen, thawed
 *      |              |           takes the place of the two before it, in one commit
 *      `--------------`-- open when the runtime ended: closed at the next start
 *
 * Invariants
 * 1. A line is on disk before anyone is told of what it says.
 * 2. A decision takes the place of its proposal in the same commit: there is always exactly one of the two.
 * 3. Bounded: the oldest decisions go first, never one whose probation is not over.
 */
import type { Journal, Runtime } from "../runtime/index.ts";
import type { Decision, Difference, ProbationReport } from "./decision.ts";
import type { Version } from "./lineage.ts";
import type { ParsedProposal } from "./options.ts";
import type { Promotion } from "./quarantine.ts";
import { Tombstones } from "./tombstones.ts";

/** One line of the journal. Times are wall time. */
export type RecordLine =
  | { readonly type: "proposed"; readonly id: string; readonly proposal: ParsedProposal; readonly timeMs: number }
  /** The swap is about to be tried: this is the decision if it succeeds. */
  | { readonly type: "promoting"; readonly id: string; readonly decision: Decision }
  | { readonly type: "decided"; readonly decision: Decision }
  | { readonly type: "rolling_back"; readonly id: string; readonly timeMs: number; readonly why: Failure }
  | {
      readonly type: "probation_ended";
      readonly id: string;
      readonly timeMs: number;
      readonly report: ProbationReport;
    }
  | { readonly type: "version"; readonly version: Version }
  | { readonly type: "frozen" | "thawed"; readonly timeMs: number; readonly reason: string };

/** Why a promoted version is taken back. */
export interface Failure {
  readonly reason: string;
  readonly difference?: Difference;
}

/** A proposal without a decision. */
export type OpenProposal = Extract<RecordLine, { readonly type: "proposed" }>;

/** Decisions that are kept … */
const DECISIONS_MAX = 10_000;
/** … and characters of their texts: a proposal may have a million. */
const CHARACTERS_MAX = 64 << 20;
/** Versions per agent. */
const VERSIONS_MAX = 1_000;

/** The arbiter's memory. */
export class Records {
  readonly #journal: Journal | undefined;
  readonly #kept = new Map<string, Kept>();
  readonly #open = new Map<string, OpenProposal>();
  readonly #promoting = new Map<string, Decision>();
  readonly #versions = new Map<string, Version[]>();
  readonly #placeOfVersion = new Map<Version, number>();
  #characters = 0;
  #newest = 0;
  #frozen: { readonly timeMs: number; readonly reason: string } | undefined;
  readonly tombstones: Tombstones;

  private constructor(journal: Journal | undefined, tombstonesMax: number) {
    this.#journal = journal;
    this.tombstones = new Tombstones(tombstonesMax);
  }

  /** Reads what there is. A line on a damaged page is passed over and told as an event. */
  static async open(runtime: Runtime, options: { readonly tombstonesMax: number }): Promise<Records> {
    const journal = await runtime.journal("arbiter");
    const records = new Records(journal, options.tombstonesMax);
    const damaged = (index: number, error: Error): void =>
      runtime.events.emit({ type: "candidate.record_lost", index, message: error.message });
    for (const { index, text } of journal.readable(damaged)) records.#remember(parseLine(text), index);
    return records;
  }

  /** What these lines of a journal say, to be looked at. */
  static read(lines: Iterable<string>): Records {
    const records = new Records(undefined, 1);
    let index = 0;
    for (const text of lines) records.#remember(parseLine(text), index++);
    return records;
  }

  /** Writes a line and remembers it. On disk when it resolves. */
  async write(line: RecordLine): Promise<void> {
    if (this.#journal === undefined) throw new Error("these records are only read");
    const replaced = line.type === "decided" ? (this.#kept.get(line.decision.id)?.places ?? []) : [];
    const outgrown = this.#outgrown(line);
    const places = [...replaced, ...outgrown.flatMap(({ places }) => places), ...this.#outgrownVersion(line)];
    const index = await this.#journal.append(JSON.stringify(line), places);
    for (const { decision } of outgrown) this.#forget(decision);
    if (line.type === "decided") this.#kept.delete(line.decision.id);
    this.#remember(line, index);
  }

  /** An id that no decision had. */
  nextId(): string {
    this.#newest += 1;
    return `d${this.#newest}`;
  }

  /** Oldest first. */
  decisions(): readonly Decision[] {
    return [...this.#kept.values()].flatMap(({ decision }) => decision ?? []);
  }

  decision(id: string): Decision | undefined {
    return this.#kept.get(id)?.decision;
  }

  report(id: string): ProbationReport | undefined {
    return this.#kept.get(id)?.ended?.report;
  }

  /** Proposals that were accepted and not decided, oldest first. */
  openProposals(): readonly OpenProposal[] {
    return [...this.#open.values()];
  }

  /** The decision that was about to be carried out, where it is not known whether it was. */
  promoting(id: string): Decision | undefined {
    return this.#promoting.get(id);
  }

  /** Promotions whose probation is not over, with the roll-back that was begun. */
  onProbation(): readonly { readonly decision: Decision; readonly rollingBack: Failure | undefined }[] {
    return [...this.#kept.values()].flatMap(({ decision, ended, rollingBack }) =>
      decision?.ruling === "promoted" && ended === undefined ? [{ decision, rollingBack }] : [],
    );
  }

  /** What became of this agent's promotions, oldest first. */
  promotions(agent: string): readonly Promotion[] {
    return [...this.#kept.values()].flatMap(({ decision, ended }): Promotion[] => {
      if (decision?.ruling !== "promoted" || decision.agent !== agent) return [];
      const { timeMs } = decision;
      if (ended === undefined) return [{ timeMs, isOpen: true }];
      return [ended.report.end === "rolled_back" ? { timeMs, rolledBackMs: ended.timeMs } : { timeMs }];
    });
  }

  /** How many live trials this agent had. */
  liveTrials(agent: string): number {
    return this.decisions().reduce(
      (most, { agent: whose, number }) => (whose === agent ? Math.max(most, number) : most),
      0,
    );
  }

  /** This agent's versions, oldest first. */
  versions(agent: string): readonly Version[] {
    return this.#versions.get(agent) ?? [];
  }

  /** Agents of which a version is on record. */
  agents(): readonly string[] {
    return [...this.#versions.keys()];
  }

  /** Why nothing is judged; `undefined` when it is. */
  get frozen(): { readonly timeMs: number; readonly reason: string } | undefined {
    return this.#frozen;
  }

  #remember(line: RecordLine, index: number): void {
    switch (line.type) {
      case "proposed":
        this.#newest = Math.max(this.#newest, numberOf(line.id));
        this.#open.set(line.id, line);
        return this.#at(line.id, index);
      case "promoting":
        this.#promoting.set(line.id, line.decision);
        return this.#at(line.id, index);
      case "decided":
        return this.#decided(line.decision, index);
      case "rolling_back":
        this.#at(line.id, index, { rollingBack: line.why, ended: undefined }); // it may have been over before
        return;
      case "probation_ended":
        return this.#ended(line, index);
      case "version":
        this.#placeOfVersion.set(line.version, index);
        this.#versions.set(line.version.agent, [...this.versions(line.version.agent), line.version]);
        return;
      case "frozen":
        this.#frozen = line;
        return;
      case "thawed":
        this.#frozen = undefined;
    }
  }

  #decided(decision: Decision, index: number): void {
    const { id } = decision;
    this.#newest = Math.max(this.#newest, numberOf(id));
    this.#open.delete(id);
    this.#promoting.delete(id);
    this.#at(id, index, { decision });
    this.#characters += charactersOf(decision);
    this.tombstones.decided(decision);
  }

  #ended(line: Extract<RecordLine, { readonly type: "probation_ended" }>, index: number): void {
    const decision = this.decision(line.id);
    if (decision === undefined) return; // on a page that was lost
    this.#at(line.id, index, { ended: line });
    if (line.report.end === "rolled_back") this.tombstones.rolledBack(decision);
  }

  #at(id: string, index: number, told: Partial<Kept> = {}): void {
    const known = this.#kept.get(id) ?? { places: [] };
    this.#kept.set(id, { ...known, ...told, places: [...known.places, index] });
  }

  /** The oldest decisions that have no place any more beside this line. */
  #outgrown(line: RecordLine): readonly Kept[] {
    if (line.type !== "decided") return [];
    const outgrown: Kept[] = [];
    let characters = this.#characters + charactersOf(line.decision);
    for (const kept of this.#kept.values()) {
      if (this.#kept.size - outgrown.length < DECISIONS_MAX && characters <= CHARACTERS_MAX) break;
      const { decision, ended } = kept;
      if (decision === undefined || (decision.ruling === "promoted" && ended === undefined)) continue;
      outgrown.push(kept);
      characters -= charactersOf(decision);
    }
    return outgrown;
  }

  #forget(decision: Decision | undefined): void {
    if (decision === undefined) return;
    this.#kept.delete(decision.id);
    this.#characters -= charactersOf(decision);
  }

  /** The place of the agent's oldest version, where one more would be too many. */
  #outgrownVersion(line: RecordLine): readonly number[] {
    if (line.type !== "version") return [];
    const versions = this.#versions.get(line.version.agent) ?? [];
    const oldest = versions.length < VERSIONS_MAX ? undefined : versions.shift();
    if (oldest === undefined) return [];
    const place = this.#placeOfVersion.get(oldest);
    this.#placeOfVersion.delete(oldest);
    return place === undefined ? [] : [place];
  }
}

interface Kept {
  /** Indexes of its lines in the journal. */
  readonly places: readonly number[];
  readonly decision?: Decision;
  readonly rollingBack?: Failure;
  readonly ended?: { readonly timeMs: number; readonly report: ProbationReport } | undefined;
}

/** A line as it was written, also by an arbiter that did not know yet what a decision has by now. */
function parseLine(text: string): RecordLine {
  const line = JSON.parse(text) as RecordLine; // written by `write` alone
  if (line.type !== "decided") return line;
  const { decision } = line;
  const verdict = decision.stages.at(-1)?.verdict ?? "inconclusive";
  return { ...line, decision: Object.assign({ verdict, number: 0, candidatesTried: 1, seed: 0 }, decision) };
}

function numberOf(id: string): number {
  return Number(id.slice(1));
}

/** What grows with what candidates say; all else of a decision is short. */
function charactersOf({ source, championSource = "", reason, stages }: Decision): number {
  const told = stages.reduce((sum, { reason: said, difference, notes = [] }) => {
    const { argument = "", expected = "", actual = "" } = difference ?? {};
    const noted = notes.reduce((length, note) => length + note.length, 0);
    return sum + said.length + argument.length + expected.length + actual.length + noted;
  }, 0);
  return source.length + championSource.length + reason.length + told;
}
