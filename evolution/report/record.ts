/**
 * The record of one search: its events, and what only the machine it ran on can tell. Kept as JSON lines, so that a report can be
 * made again at any time.
 */
import type { SearchEvent } from "../population/events.ts";

/** What a run was asked to do, and where: the first line of a log. */
export interface RunContext {
  readonly type: "run.context";
  /** Options by name, as people read them. */
  readonly options: Readonly<Record<string, string>>;
  /** Processor, cores, memory, system. */
  readonly machine: Readonly<Record<string, string>>;
  /** Versions of what it ran with. */
  readonly versions: Readonly<Record<string, string>>;
}

/** What was measured: the last line of a log whose run came to an end. */
export interface RunMeasured {
  readonly type: "run.measured";
  /** Wall time of the call, in ms. */
  readonly ms: number;
  /** Mean score of the best program on cases that were kept apart. */
  readonly held?: number | undefined;
}

/** One line of a log. */
export type RecordLine = SearchEvent | RunContext | RunMeasured;

/** See the header. A search that was resumed tells everything again: the record has it once. */
export interface RunRecord {
  readonly context?: RunContext | undefined;
  readonly events: readonly SearchEvent[];
  readonly measured?: RunMeasured | undefined;
  /** What is to be said about the log itself: that it was cut off, that a run was resumed. */
  readonly remarks?: readonly string[] | undefined;
}
