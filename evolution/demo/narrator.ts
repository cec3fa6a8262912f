/**
 * Tells the story as it happens, on whatever screen there is.
 */
import type { Tree } from "../../runtime/index.ts";
import type { CellLine, Draft } from "./render.ts";
import {
  cellKillLines,
  loadLine,
  progressText,
  promotedLines,
  runtimeKillLines,
  speedupLines,
  stageLines,
  treeLines,
  trialHeading,
  trialLines,
} from "./render.ts";
import { duration, indented, wrap } from "./layout.ts";
import type { CellKill, DemoResult, RuntimeKill, Speedup, StageResult, TrialResult } from "./result.ts";
import type { Screen } from "./screen.ts";
import { summaryLines } from "./summary.ts";
import type { Phase } from "./tally.ts";
import { reportOf } from "./tally.ts";

/** The living line is drawn at most this often, in ms. */
const REDRAW_EVERY_MS = 100;

/** One method per thing there is to tell. */
export class Narrator {
  readonly #screen: Screen;
  readonly #nowMs: () => number;
  #drawnMs = Number.NEGATIVE_INFINITY;
  /** How far the stage is that runs, if it says so. */
  #progress = "";

  constructor(screen: Screen, nowMs: () => number) {
    this.#screen = screen;
    this.#nowMs = nowMs;
  }

  /** The title. */
  title(text: string): void {
    this.#screen.lines([this.#screen.paint("bold", text)]);
  }

  /** A new chapter. */
  chapter(text: string): void {
    const [first = "", ...rest] = wrap(text, this.#screen.width);
    this.#screen.lines(["", ...[first, ...rest].map((line) => this.#screen.paint("cyan", line))]);
  }

  /** A paragraph. */
  say(text: string): void {
    this.#screen.lines(["", ...indented(text, 2, this.#screen)]);
  }

  /** The supervision tree. */
  tree(tree: Tree, cells: readonly CellLine[]): void {
    this.#screen.lines(["", ...treeLines(tree, cells, this.#screen)]);
  }

  /** The librarian felt how long its answers take. */
  slowness(waits: readonly { readonly notes: number; readonly ms: number }[], isSlow: boolean): void {
    const measured = waits.map(({ notes, ms }) => `${duration(ms)} with ${notes} notes`).join(", ");
    const mind = isSlow
      ? "finds its memory slow and proposes new versions of itself"
      : "is content, but proposes new versions of itself";
    this.say(`An answer takes ${measured} (p50). The librarian ${mind}.`);
  }

  /** A version goes on trial. */
  trialBegins(draft: Draft): void {
    this.#screen.lines(trialHeading(draft, this.#screen));
  }

  /** A stage spoke. */
  stage(stage: StageResult): void {
    this.#progress = "";
    this.#screen.lines(stageLines(stage, this.#screen));
  }

  /** A stage says how far it is; drawn beside the client's figures. */
  progress(stage: string, figures: Readonly<Record<string, number>>): void {
    this.#progress = progressText(stage, figures);
  }

  /** A version begins to serve. */
  promoted(pauseMs: number): void {
    this.#screen.lines(promotedLines(pauseMs, this.#screen));
  }

  /** The last version's speed was measured. */
  speedup(speedup: Speedup): void {
    this.#screen.lines(speedupLines(speedup, this.#screen));
  }

  /** The last word on a version. */
  trialEnds(trial: TrialResult): void {
    this.#screen.lines(trialLines(trial, this.#screen));
  }

  /** A cell is gone and its agents are back. */
  cellKilled(kill: CellKill): void {
    this.#screen.lines(cellKillLines(kill, this.#screen));
  }

  /** A runtime is gone and its vault is open again. */
  runtimeKilled(kill: RuntimeKill): void {
    this.#screen.lines(runtimeKillLines(kill, this.#screen));
  }

  /** The client's figures of this moment. */
  load(phases: readonly Phase[]): void {
    const nowMs = this.#nowMs();
    if (nowMs - this.#drawnMs < REDRAW_EVERY_MS) return;
    this.#drawnMs = nowMs;
    const client = loadLine(reportOf("all", phases));
    this.#screen.living(this.#progress === "" ? client : `  ${this.#progress};${client.slice(1)}`);
  }

  /** Nobody asks any more. */
  quiet(): void {
    this.#screen.close();
  }

  /** What all of it comes to. */
  summary(result: DemoResult): void {
    this.#screen.lines(["", ...summaryLines(result, this.#screen)]);
  }
}
