/**
 * Recorded answers of models: a file with one line of JSON for each request, so that tests of agents need no endpoint, no key
 * and no luck.
 *
 *     {"request":"<sha256 of the request>","preview":"<how its last message begins>","answer":{…},"parts":["…","…"]}
 *
 * Invariants
 * 1. The same request gets exactly the answer that was recorded; the last record of a request counts.
 * 2. A file is replaced as a whole (a new one beside it, synced, renamed): whoever reads sees the old one or the new one.
 * 3. A line that is no record is an error that names the line, never a request without a record.
 */
import { hash, randomUUID } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import { basename } from "node:path";
import { RuntimeError } from "../errors.ts";
import type { ChatAnswer } from "../../sandbox/index.ts";

/** One recorded answer. */
export interface Recording {
  /** `requestHash` of the request. */
  readonly request: string;
  readonly preview: string;
  readonly answer: ChatAnswer;
  /** The text as it came, where it was streamed. */
  readonly parts?: readonly string[] | undefined;
}

/** Bytes of a file; agents that ask without end would fill the disk. */
const FILE_BYTES_MAX = 64 << 20;

/** The name of a request: sha256 of its body as JSON with sorted keys, in hex. */
export function requestHash(body: Readonly<Record<string, unknown>>): string {
  return hash("sha256", JSON.stringify(sorted(body)), "hex");
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}

/** The recordings of one file. All of a process must share one object, or their writes overtake each other. */
export class Cassette {
  readonly #file: string;
  /** The writes so far, one after the other; never rejects. */
  #writes: Promise<void> = Promise.resolve();

  constructor(file: string) {
    this.#file = file;
  }

  /**
   * The answer to this request, if there is one. Reads the file each time: a test may have changed it.
   * @throws {RuntimeError} RUNTIME_CAPABILITY_UNAVAILABLE for a file that cannot be read or has a damaged line.
   */
  async find(request: string): Promise<Recording | undefined> {
    return parse(await this.#read(), this.#file).get(request);
  }

  /** Keeps an answer; it is on disk when this resolves. Throws as `find`, and where the file is full or cannot be written. */
  async record(recording: Recording): Promise<void> {
    const write = this.#writes.then(() => this.#write(recording));
    this.#writes = write.catch(() => undefined); // whoever asked for it is told
    await write;
  }

  async #read(): Promise<string> {
    try {
      return await readFile(this.#file, "utf8");
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return ""; // what the file system throws
      throw this.#unavailable("cannot be read", cause);
    }
  }

  async #write(recording: Recording): Promise<void> {
    const recordings = parse(await this.#read(), this.#file);
    recordings.set(recording.request, recording);
    const text = [...recordings.values()].map((one) => `${JSON.stringify(one)}\n`).join("");
    if (Buffer.byteLength(text) > FILE_BYTES_MAX) throw this.#unavailable(`is full (${FILE_BYTES_MAX} bytes)`);
    const beside = `${this.#file}.${randomUUID()}`;
    try {
      const handle = await open(beside, "wx");
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(beside, this.#file);
    } catch (cause) {
      await rm(beside, { force: true });
      throw this.#unavailable("cannot be written", cause);
    }
  }

  #unavailable(what: string, cause?: unknown): RuntimeError {
    return unavailable(this.#file, what, cause);
  }
}

/** The agent is told the file's name, not where it lies. */
function unavailable(file: string, what: string, cause?: unknown): RuntimeError {
  const message = `The recorded answers (${basename(file)}) ${what}`;
  const code = (cause as { readonly code?: unknown } | undefined)?.code; // whatever was thrown
  const why = typeof code === "string" ? ` (${code})` : "";
  return new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", `${message}${why}.`, { cause, details: { file } });
}

function parse(text: string, file: string): Map<string, Recording> {
  const recordings = new Map<string, Recording>();
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const recording = recordingOf(line);
    if (recording === undefined) throw unavailable(file, `are damaged in line ${index + 1}: it is no recording`);
    recordings.set(recording.request, recording);
  }
  return recordings;
}

/** The recording of a line; undefined for what is none. */
function recordingOf(line: string): Recording | undefined {
  let value: Partial<Recording> | null;
  try {
    value = JSON.parse(line) as Partial<Recording> | null; // looked at below
  } catch {
    return undefined;
  }
  const { request, preview, answer, parts } = value ?? {};
  if (typeof request !== "string" || !/^[0-9a-f]{64}$/.test(request) || typeof preview !== "string") return undefined;
  if (typeof answer !== "object" || answer === null || !Array.isArray(answer.toolCalls)) return undefined;
  const texts: readonly unknown[] = [answer.text, answer.finishReason, answer.model];
  if (parts !== undefined && !Array.isArray(parts)) return undefined;
  if (![...texts, ...(parts ?? [])].every((text) => typeof text === "string")) return undefined;
  return { request, preview, answer, ...(parts === undefined ? {} : { parts }) };
}
