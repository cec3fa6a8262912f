/**
 * Recorded answers of models, so that a search with models repeats to the bit, without an endpoint and a key: one line of JSON for each
 * question, added at the end.
 *
 *     {"request":"<sha256 of all that is sent>","form":"fix","model":"m","prompt":"…","answer":{"text":"…",…}}
 *     {"request":"…","form":"edit","model":"m","prompt":"…","failure":"The endpoint answers 500: …"}
 *
 * Invariants
 * 1. The same question gets exactly what was recorded, a failure too; the last record of a question counts.
 * 2. A record is on disk when `record` resolves. A last line that was torn by a crash is left out, and cut off by the next record.
 * 3. Any other line that is no record is an error that names it.
 */
import { open, readFile, truncate } from "node:fs/promises";
import { EvolutionError } from "../../errors.ts";
import { resemblance, sketchOf } from "../min-hash.ts";

/** What a model said, as far as it matters. */
export interface RecordedAnswer {
  readonly text: string;
  readonly tokensIn: number;
  readonly tokensOut: number;
}

/** One line. Either an answer or a failure. */
export interface Recording {
  /** `LlmEndpoint.hash` of the request. */
  readonly request: string;
  readonly form: string;
  readonly model: string;
  /** The question itself, for people, and to find out which one was meant. */
  readonly prompt: string;
  readonly answer?: RecordedAnswer | undefined;
  readonly failure?: string | undefined;
}

/** Bytes of a file. */
const FILE_BYTES_MAX = 256 << 20;
/** Records that are compared with a question that is not recorded. */
const COMPARED_MAX = 2_000;

/** The recordings of one file. One object for a file. */
export class Cassette {
  readonly #file: string;
  #known: Promise<{ readonly recordings: Map<string, Recording>; bytes: number }> | undefined;
  /** The writes so far, one after the other; never rejects. */
  #writes: Promise<void> = Promise.resolve();

  constructor(file: string) {
    this.#file = file;
  }

  /** The record of a request, if there is one. Throws EVOLUTION_CASSETTE_INVALID. */
  async find(request: string): Promise<Recording | undefined> {
    return (await this.#load()).recordings.get(request);
  }

  /** Keeps a record. Throws EVOLUTION_CASSETTE_INVALID where the file is full or cannot be written. */
  async record(recording: Recording): Promise<void> {
    const write = this.#writes.then(() => this.#write(recording));
    this.#writes = write.catch(() => undefined); // whoever asked for it is told
    await write;
  }

  /** EVOLUTION_CASSETTE_MISMATCH for a question that is not recorded, naming the recorded one that is most like it. */
  async mismatch(asked: Pick<Recording, "request" | "form" | "model" | "prompt">): Promise<EvolutionError> {
    const { recordings } = await this.#load();
    const sketch = sketchOf(asked.prompt);
    let nearest: Recording | undefined;
    let likeness = -1;
    for (const recording of [...recordings.values()].slice(-COMPARED_MAX)) {
      const share = resemblance(sketch, sketchOf(recording.prompt));
      if (share > likeness) [nearest, likeness] = [recording, share];
    }
    const details = {
      file: this.#file,
      request: asked.request,
      form: asked.form,
      model: asked.model,
      nearest: nearest?.request,
    };
    const which = `${this.#file} has no answer to this question (${asked.form} to ${asked.model}, ${asked.request.slice(0, 12)})`;
    const how = nearest === undefined ? "it is empty" : nearestText(asked, nearest, likeness);
    const way = `Record it with cassette.mode "record" or "replay", or ask what was asked when it was recorded.`;
    return new EvolutionError("EVOLUTION_CASSETTE_MISMATCH", `${which}; ${how}. ${way}`, { details });
  }

  async #write(recording: Recording): Promise<void> {
    const known = await this.#load();
    const line = Buffer.from(`${JSON.stringify(recording)}\n`);
    if (known.bytes + line.byteLength > FILE_BYTES_MAX)
      throw invalid(this.#file, `is full (${FILE_BYTES_MAX} bytes): begin a new one`);
    try {
      const handle = await open(this.#file, "a");
      try {
        await handle.appendFile(line);
        await handle.datasync();
      } finally {
        await handle.close();
      }
    } catch (cause) {
      throw invalid(this.#file, "cannot be written", cause);
    }
    known.bytes += line.byteLength;
    known.recordings.set(recording.request, recording);
  }

  #load(): Promise<{ readonly recordings: Map<string, Recording>; bytes: number }> {
    this.#known ??= load(this.#file);
    return this.#known;
  }
}

async function load(file: string): Promise<{ readonly recordings: Map<string, Recording>; bytes: number }> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return { recordings: new Map(), bytes: 0 }; // what the file system throws
    throw invalid(file, "cannot be read", cause);
  }
  const whole = bytes.lastIndexOf("\n") + 1;
  if (whole < bytes.byteLength) {
    await truncate(file, whole).catch((cause: unknown) => {
      throw invalid(file, "ends in a torn line that cannot be cut off", cause);
    });
  }
  const recordings = new Map<string, Recording>();
  for (const [index, line] of bytes.subarray(0, whole).toString().split("\n").entries()) {
    if (line.trim() === "") continue;
    const recording = recordingOf(line);
    if (recording === undefined) throw invalid(file, `is damaged in line ${index + 1}: it is no recording`);
    recordings.set(recording.request, recording);
  }
  return { recordings, bytes: whole };
}

function recordingOf(line: string): Recording | undefined {
  let value: Partial<Recording> | null;
  try {
    value = JSON.parse(line) as Partial<Recording> | null; // looked at below
  } catch {
    return undefined;
  }
  const { request, form, model, prompt, answer, failure } = value ?? {};
  if (typeof request !== "string" || !/^[0-9a-f]{64}$/.test(request)) return undefined;
  if (typeof form !== "string" || typeof model !== "string" || typeof prompt !== "string") return undefined;
  const name = { request, form, model, prompt };
  if (typeof failure === "string") return { ...name, failure };
  const isAnswer = typeof answer?.text === "string" && isCount(answer.tokensIn) && isCount(answer.tokensOut);
  return isAnswer ? { ...name, answer } : undefined;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function nearestText(
  asked: Pick<Recording, "form" | "model" | "prompt">,
  nearest: Recording,
  likeness: number,
): string {
  const head = `the nearest recorded one is ${nearest.request.slice(0, 12)} (${nearest.form} to ${nearest.model}), ${Math.round(100 * likeness)} % alike`;
  const [lines, others] = [asked.prompt.split("\n"), nearest.prompt.split("\n")];
  const at = lines.findIndex((line, index) => line !== others[index]);
  if (at < 0 && lines.length === others.length)
    return `${head}, and differs in its settings alone: model, seed, temperature or length`;
  const first = at < 0 ? lines.length : at;
  return `${head}; line ${first + 1} is ${quoted(lines[first])} here and ${quoted(others[first])} there`;
}

function quoted(line: string | undefined): string {
  return line === undefined ? "missing" : JSON.stringify(line.slice(0, 80).toWellFormed());
}

function invalid(file: string, what: string, cause?: unknown): EvolutionError {
  const code = (cause as { readonly code?: unknown } | undefined)?.code; // whatever was thrown
  const why = typeof code === "string" ? ` (${code})` : "";
  return new EvolutionError("EVOLUTION_CASSETTE_INVALID", `The cassette ${file} ${what}${why}.`, {
    cause,
    details: { file },
  });
}
