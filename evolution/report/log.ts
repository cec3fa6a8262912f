/**
 * Writes the log of a search while it runs: one JSON object a line, in blocks. What is not written yet when the process is killed is
 * told again by the run that goes on.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { EvolutionError } from "../errors.ts";
import type { SearchEvent } from "../population/events.ts";
import type { RecordLine, RunContext, RunMeasured } from "./record.ts";

/** Characters that wait to be written. */
const BLOCK_CHARACTERS = 1 << 18;
const LINE_FEED = 10;

/** How a log that is there already is taken: a run that is resumed adds to its own; any other begins anew. */
export type LogStart = "added" | "anew";

/** See the header. `tell` fits `onEvent` of `evolve`. What cannot be written is EVOLUTION_LOG_FAILED, thrown by whoever tells. */
export class RunLog implements Disposable {
  readonly #path: string;
  readonly #file: number;
  #isOpen = true;
  #waiting: string[] = [];
  #characters = 0;

  /** Opens the file. A last line that was cut off with its writer is taken away before anything is added. */
  constructor(path: string, context: RunContext, start: LogStart = "added") {
    this.#path = path;
    this.#file = guarded(path, () => openSync(path, start === "added" ? "a+" : "w"));
    if (start === "added") guarded(path, () => cutTornLine(this.#file));
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
    try {
      this.#flush();
    } finally {
      closeSync(this.#file);
    }
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
    guarded(this.#path, () => {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
    });
  }
}

/** What is behind the last line feed: another line must not begin in its middle. */
function cutTornLine(file: number): void {
  const stat = fstatSync(file);
  if (!stat.isFile()) return;
  const block = Buffer.alloc(BLOCK_CHARACTERS);
  for (let end = stat.size; end > 0;) {
    const start = Math.max(0, end - block.length);
    const count = readSync(file, block, 0, end - start, start);
    const at = block.subarray(0, count).lastIndexOf(LINE_FEED);
    if (at >= 0) {
      ftruncateSync(file, start + at + 1);
      return;
    }
    end = start;
  }
  ftruncateSync(file, 0);
}

function guarded<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new EvolutionError(
      "EVOLUTION_LOG_FAILED",
      `the log ${path} cannot be written: ${said}; make room or give another file. A run that is kept in a vault can be resumed`,
      { cause: error, details: { path } },
    );
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
