/**
 * The compiler's own process: it reads lines of JSON with a source each, and answers each with a line. It starts esbuild's
 * service as its child. Run by the Guardian as one bundled file (bundle.ts), never imported by it.
 *
 *     { name, source, sdk, isInspected }  ->  { bare, map, bytes (, sights) }  or  { message, errors }
 *
 * Nothing here has to be trusted: what limits it, and what it sees, is given by whoever starts it (compile-program.ts), and
 * what it says is looked at (compile-answer.ts).
 */
import { writeSync } from "node:fs";
import { COMPLAINTS_MAX, shortened, type CompileAnswer } from "./compile-answer.ts";
import { buildEntry, isServiceLost } from "./compile-build.ts";
import type { CompileComplaint } from "./compile-refusal.ts";
import { SandboxError } from "./errors.ts";
import type { Sight } from "./inspect/finding.ts";
import { INSPECT_LIMITS } from "./inspect/rules.ts";
import { inspectCode } from "./inspect/inspect.ts";
import { inSource, type Given } from "./inspect/position.ts";
import { adviceOn } from "./missing-globals.ts";

const NEWLINE = 10;
const STDOUT_FD = 1;

interface CompileRequest {
  readonly name: string;
  readonly source: string;
  readonly sdk: string;
  /** Whether the code is looked at as well. */
  readonly isInspected: boolean;
}

async function main(): Promise<void> {
  // It is ready when esbuild is.
  await answer({ name: "warm-up.ts", source: "export default 1", sdk: "const agent = 1", isInspected: false });
  say({ bare: "", map: "", bytes: 0 });
  // The Guardian writes these, one after the other.
  for await (const line of lines()) say(await answer(JSON.parse(line) as CompileRequest));
}

/** node:readline knows more ends of a line than a text of JSON does: a source may have U+2028 in it. */
async function* lines(): AsyncGenerator<string> {
  let pieces: Buffer[] = [];
  // Nobody has set an encoding, so these are bytes.
  for await (const bytes of process.stdin as AsyncIterable<Buffer>) {
    const end = bytes.indexOf(NEWLINE);
    pieces.push(end < 0 ? bytes : bytes.subarray(0, end));
    if (end < 0) continue;
    yield Buffer.concat(pieces).toString("utf8");
    pieces = [bytes.subarray(end + 1)];
  }
}

async function answer({ name, source, sdk, isInspected }: CompileRequest): Promise<CompileAnswer> {
  try {
    const folder = process.cwd();
    const { bare, map, shares } = await buildEntry(
      { name, source, folder, path: undefined, standsAlone: true },
      { sdk },
    );
    const bytes = shares.get(name) ?? 0;
    if (!isInspected) return { bare, map, bytes };
    return { bare, map, bytes, sights: sightsOf(bare, { name, source, map }) };
  } catch (error) {
    // Without its service this process is of no use to anybody: its end says so.
    if (isServiceLost(error) || !(error instanceof SandboxError)) process.exit(1);
    const errors = error.details["errors"] as readonly CompileComplaint[]; // as refusalFrom leaves them
    return { message: error.message, errors: errors.slice(0, COMPLAINTS_MAX).map(shortened) };
  }
}

/** What is seen in the code, at its place in the source. */
function sightsOf(bare: string, given: Given): readonly Sight[] {
  const isTooLarge = Buffer.byteLength(given.source) > INSPECT_LIMITS.bytesMax;
  if (isTooLarge) return [{ rule: "too-large", line: 1, column: 1, name: "" }];
  return inSource(inspectCode(bare, { isMissing: (name) => adviceOn(name) !== undefined }), given);
}

/** The Guardian reads: a full pipe makes us wait, which is as it should be. */
function say(value: CompileAnswer): void {
  const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
  for (let at = 0; at < bytes.length;) at += write(bytes, at);
}

function write(bytes: Buffer, at: number): number {
  try {
    return writeSync(STDOUT_FD, bytes, at);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0; // an error of the system
    throw error;
  }
}

void main(); // Its end is the end of the input.
