/**
 * Writes the log of a search while it runs: one JSON object a line, in blocks. What is not written yet when the process is killed is
 * told again by the run that goes on.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import type { SearchEvent } from "../population/events.ts";
import type { RecordLine, RunContext, RunMeasured } from "./record.ts";

/** Characters that wait to be written. */
const BLOCK_CHARACTERS = 1 << 18;

/** See the header. `tell` fits `onEvent` of `evolve`. */
export class RunLog implements Disposable {
  readonly #file: number;
  #isOpen = true;
  #waiting: string[] = [];
  #characters = 0;

  /** Opens the file for appending: a run that is resumed adds to what is there. Throws what the file system says. */
  constructor(path: string, context: RunContext) {
    this.#file = openSync(path, "a");
    this.#write(context);
  }

  /** Takes an event. Written at the end of its generation at the latest. */
  readonly tell = (event: SearchEvent): void => {
    this.#write(event);
    if (event.type === "generation.ended" || event.type === "run.ended") this.#flush();
  };

  /** The last line. */
  measured(figures: Omit<RunMeasured, "type">): void {
    this.#write({ type: "run.measured", ...figures });
  }

  /** Writes what waits, and closes the file. Once is enough; again does nothing. */
  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#flush();
    closeSync(this.#file);
  }

  #write(line: RecordLine): void {
    const text = `${JSON.stringify(line)}\n`;
    this.#waiting.push(text);
    this.#characters += text.length;
    if (this.#characters >= BLOCK_CHARACTERS) this.#flush();
  }

  #flush(): void {
    if (this.#waiting.length === 0) return;
    const bytes = Buffer.from(this.#waiting.join(""));
    this.#waiting = [];
    this.#characters = 0;
    for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
  }
}

/** The context of a run on this machine: its options as texts, in the order given; those that are absent are left out. */
export function runContext(options: Readonly<Record<string, unknown>>): RunContext {
  const said = Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, textOf(value)] as const],
  );
  return {
    type: "run.context",
    options: Object.fromEntries(said),
    machine: {
      processor: cpus()[0]?.model.trim() ?? "unknown",
      cores: String(availableParallelism()),
      memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
      system: `${process.platform} ${process.arch} ${release()}`,
    },
    versions: { node: process.versions.node, v8: process.versions.v8 },
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
