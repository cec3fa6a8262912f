/**
 * The real OTP, as one long-lived `erl` that runs cases and gives their traces (see `ref_main.erl`).
 *
 *   node  -- packet: case as a term -->  erl +S 1:1, ref_*.erl compiled into a temporary folder
 *         <-- packet: trace as JSON ---
 *
 * 1. Answers come in the order of the questions.
 * 2. One scheduler: the order of what processes do is the order in which they are woken, the same every time.
 */
import { execFile, spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { promisify } from "node:util";
import type { SimCase, Trace } from "./case.ts";
import { toTerm } from "./term.ts";

const HERE = import.meta.dirname;

/** What the reference is made of. */
export interface ReferenceFacts {
  /** The release, "25". */
  readonly otp: string;
  /** Whether Elixir's DynamicSupervisor is there. */
  readonly dynamic: boolean;
}

/** True where `erl` and `erlc` can be found; where not, there is nothing to compare with. */
export function hasErlang(): boolean {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return ["erl", "erlc"].every((name) => folders.some((folder) => existsSync(join(folder, name))));
}

/** A running reference. Close it, else its process and its folder stay. */
export class Reference {
  readonly facts: ReferenceFacts;
  readonly #erl: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<unknown>;
  readonly #folder: string;

  private constructor(parts: {
    facts: ReferenceFacts;
    erl: ChildProcessByStdio<Writable, Readable, null>;
    answers: AsyncIterator<unknown>;
    folder: string;
  }) {
    this.facts = parts.facts;
    this.#erl = parts.erl;
    this.#answers = parts.answers;
    this.#folder = parts.folder;
  }

  /** Compiles the reference and starts it. */
  static async open(): Promise<Reference> {
    const folder = await mkdtemp(join(tmpdir(), "planaria-otp-"));
    const sources = (await readdir(HERE)).filter((name) => name.endsWith(".erl"));
    await promisify(execFile)("erlc", ["-Wall", "-o", folder, ...sources.map((name) => join(HERE, name))]);
    const elixir = await elixirFolder();
    const erl = spawn(
      "erl",
      [
        "+S",
        "1:1",
        "-boot",
        "no_dot_erlang",
        "-noinput",
        "-pa",
        folder,
        ...(elixir === undefined ? [] : ["-pa", elixir]),
        "-s",
        "ref_main",
      ],
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    const answers = packets(erl.stdout)[Symbol.asyncIterator]();
    const first = await answers.next();
    if (first.done === true) throw new Error("erl ended before it was ready; what it said is above");
    // The cast: the first packet is written by ref_main:start/0.
    const facts = first.value as ReferenceFacts;
    return new Reference({ facts, erl, answers, folder });
  }

  /** The traces of these cases, in their order, on real OTP. A case that it could not finish rejects, with its id. */
  async run(cases: readonly SimCase[]): Promise<Trace[]> {
    const traces: Trace[] = [];
    const written = this.#write(cases);
    for (const { id } of cases) {
      const next = await this.#answers.next();
      if (next.done === true) throw new Error(`erl ended while it ran case ${id}`);
      // The cast: the packet is written by ref_main:answer/2.
      const answer = next.value as Trace & { readonly failure?: string };
      if (answer.failure !== undefined) throw new Error(`the reference failed in case ${id}: ${answer.failure}`);
      traces.push(answer);
    }
    await written;
    return traces;
  }

  async #write(cases: readonly SimCase[]): Promise<void> {
    for (const one of cases) {
      const term = toTerm(one);
      const head = Buffer.alloc(4);
      head.writeUInt32BE(term.length);
      if (!this.#erl.stdin.write(Buffer.concat([head, term]))) await once(this.#erl.stdin, "drain");
    }
  }

  /** Ends erl and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#erl, "close");
    this.#erl.kill("SIGKILL");
    await closed;
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Where Elixir's modules are; undefined where it is not installed. */
async function elixirFolder(): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)("elixir", ["-e", "IO.write(:code.lib_dir(:elixir, :ebin))"]);
    return stdout;
  } catch (error) {
    // Not installed: the comparison says that it leaves the cases of strategy "dynamic" out.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function* packets(stream: Readable): AsyncGenerator {
  let rest = Buffer.alloc(0);
  for await (const chunk of stream) {
    // The cast: a stream without an encoding gives buffers.
    rest = Buffer.concat([rest, chunk as Buffer]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE()) {
      const end = 4 + rest.readUInt32BE();
      yield JSON.parse(rest.toString("utf8", 4, end));
      rest = rest.subarray(end);
    }
  }
}
