/**
 * `planaria demo` without its options: a folder of its own, a screen, a way to call it off, and no trace afterwards.
 *
 * Invariants
 * 1. The folder is gone when `runDemo` settles, and also when this process ends in any other orderly way, unless it is kept.
 * 2. A first Ctrl-C (or SIGTERM, SIGHUP, a reader that went away) lets everything be closed in order; a second one ends
 *    the process at once.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Narrator } from "./narrator.ts";
import type { DemoResult } from "./result.ts";
import { Screen, noPaper } from "./screen.ts";
import { tellStory } from "./story.ts";

/** Options of `planaria demo`. */
export interface DemoOptions {
  /** The result as one JSON object on standard output; the story goes to standard error if that is a terminal. */
  readonly isJson: boolean;
  /** Leaves the folder with the vault where it is. */
  readonly isKept: boolean;
}

/** How a demo ended: with a result, or called off by a signal. */
export type DemoEnd =
  | { readonly type: "told"; readonly result: DemoResult }
  | { readonly type: "called_off"; readonly signal: NodeJS.Signals };

const SIGNALS: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** Runs the demo. Rejects with whatever went wrong; what it started is then ended, and its folder removed. */
export async function runDemo(options: DemoOptions): Promise<DemoEnd> {
  const folder = mkdtempSync(join(tmpdir(), "planaria-demo-"));
  const sweep = (): void => (options.isKept ? undefined : rmSync(folder, { recursive: true, force: true }));
  const interruption = new Interruption();
  process.once("exit", sweep);
  const screen = new Screen(paperFor(options), process.env);
  try {
    const narrator = new Narrator(screen, () => performance.now());
    const result = await tellStory({ folder, narrator, signal: interruption.signal });
    if (options.isJson) process.stdout.write(`${JSON.stringify(result)}\n`);
    return { type: "told", result };
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    return { type: "called_off", signal: interruption.cause };
  } finally {
    screen.close();
    if (options.isKept) process.stderr.write(`The vault is kept: ${join(folder, "vault")}\n`);
    sweep();
    process.removeListener("exit", sweep);
    interruption.release();
  }
}

function paperFor({ isJson }: DemoOptions): typeof noPaper {
  if (!isJson) return process.stdout;
  return process.stderr.isTTY ? process.stderr : noPaper;
}

/** The ways in which a run is called off from outside. */
class Interruption {
  cause: NodeJS.Signals = "SIGTERM";
  readonly #controller = new AbortController();
  /** The clock's timers do not keep a process alive; this does, until the demo is over. */
  readonly #anchor = new MessageChannel().port1;
  readonly #onSignal = (signal: NodeJS.Signals): void => this.#callOff(signal);
  readonly #onPaperGone = (): void => this.#callOff("SIGPIPE");

  constructor() {
    for (const signal of SIGNALS) process.once(signal, this.#onSignal);
    process.stdout.on("error", this.#onPaperGone);
    this.#anchor.ref();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  release(): void {
    for (const signal of SIGNALS) process.removeListener(signal, this.#onSignal);
    process.stdout.removeListener("error", this.#onPaperGone);
    this.#anchor.close();
  }

  #callOff(signal: NodeJS.Signals): void {
    if (this.signal.aborted) return;
    this.cause = signal;
    if (process.stderr.isTTY) process.stderr.write(`\n${signal}: closing in order; again to end at once\n`);
    this.#controller.abort(new Error(`called off by ${signal}`));
  }
}
