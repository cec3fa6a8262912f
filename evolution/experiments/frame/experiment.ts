/** What an experiment is, as its frame sees it: one search per seed, some figures, and what others published beside them. */
import type { SearchPaths } from "../../report/search-files.ts";
import type { Budget } from "./arguments.ts";

/** A figure that every seed gives. */
export interface FigureKind {
  /** Key in `SeedReport.figures`. */
  readonly id: string;
  /** As it is printed. */
  readonly title: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  /** Digits behind the point. */
  readonly digits: number;
}

/** What somebody else reached, and how: a figure without its protocol compares nothing. */
export interface Published {
  readonly who: string;
  readonly value: string;
  readonly protocol: string;
}

/** Data that an experiment does not make by itself. */
export interface DataNeed {
  /** Path in the folder that `--data` names; its last part may have a `*`. The file may also lie in the folder itself. */
  readonly file: string;
  readonly origin: string;
  readonly licence: string;
}

/** How far a search is. */
export interface ProgressUpdate {
  readonly evaluations: number;
  /** The best so far, in the experiment's own words. */
  readonly best: string;
}

/** What the search of one seed is given. */
export interface SeedContext {
  readonly seed: number;
  readonly budget: Budget;
  readonly workers: number;
  /** The folder of the data; there when the experiment needs some. */
  readonly data: string | undefined;
  readonly vault: string | undefined;
  /** Where a search of this seed is told, by `evolveSearch`. Absent: nowhere. */
  readonly files?: ((search: string) => SearchPaths) | undefined;
  /** Takes a line for whoever looks on. */
  readonly say?: ((text: string) => void) | undefined;
  /** Aborted by Ctrl-C: return what was found. */
  readonly signal: AbortSignal;
  /** Cheap: most updates are not printed. */
  readonly progress: (update: ProgressUpdate) => void;
}

/** What the search of one seed found. */
export interface SeedReport {
  readonly figures: Readonly<Record<string, number>>;
  readonly evaluations: number;
  /** Lines that go beside the figures: tables, the best program. */
  readonly notes: readonly string[];
  /** The same as data, for `--json`. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** Words of `--help`; what is absent is what is true of most experiments. */
export interface ExperimentHelp {
  /** Options of its own, as they stand in the list. */
  readonly options?: readonly string[] | undefined;
  /** What a budget is. */
  readonly budget?: string | undefined;
  /** What workers are, or `none`: it searches in one process, and `--workers` is refused. */
  readonly workers?: string | undefined;
  /** What is the same when it is run again, and what Ctrl-C does. */
  readonly repeats?: string | undefined;
}

/** See the header. */
export interface Experiment {
  /** Name of its file. */
  readonly name: string;
  /** One paragraph for `--help` and the head of the report. */
  readonly what: string;
  readonly needs: readonly DataNeed[];
  readonly figures: readonly FigureKind[];
  readonly published: readonly Published[];
  /** What a reader must know before comparing. */
  readonly caveats: readonly string[];
  readonly defaults: { readonly seeds: readonly number[]; readonly budget: Budget };
  /** Whether a run that is kept in a vault can be taken up again. */
  readonly canResume: boolean;
  /** What else a vault is for, as the end of a sentence: then `--vault` is taken, and the run is not resumed. */
  readonly vaultIsFor?: string | undefined;
  /** What each seed searches by `evolveSearch`, by name: then `--events` and `--report` are taken. */
  readonly searches?: readonly string[] | undefined;
  /** What `--help` says where it is not what is true of most. */
  readonly help?: ExperimentHelp | undefined;
  /** Searches with one seed. Rejecting with the reason of an aborted signal says that nothing was found. */
  run(context: SeedContext): Promise<SeedReport>;
}
