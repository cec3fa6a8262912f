/**
 * A process that runs tests of test262 in real isolates, each in a fresh one: `ours` with the guest's prelude, `bare` with
 * nothing but the door that every isolate has. isolated-vm needs `--no-node-snapshot` and can be opened once in a process,
 * and the process of the bench must never load it.
 *
 *     node --no-node-snapshot test262-child.ts ours|bare
 */
import { engineFile } from "../../sandbox/cell-files.ts";
import { guestPrelude } from "../../sandbox/own-code.ts";
import { Engine, type Isolate } from "../../sandbox/isolate.ts";
import { ENTER_GLOBAL } from "../../sandbox/protocol.ts";
import type { Negative } from "./test262-file.ts";

/** One run. */
export interface Question {
  readonly name: string;
  /** The harness files, one script each. */
  readonly harness: readonly string[];
  readonly source: string;
  readonly isAsync: boolean;
  readonly negative: Negative | undefined;
}

/** How it ended: what was thrown, "" where it passed. */
export interface Answer {
  readonly name: string;
  readonly thrown: string;
}

const HEAP_MB = 64;
const TIMEOUT_MS = 10_000;

/** What a host of test262 offers, as far as both have it; where it is missing, both fail alike. */
const HOST = `
  globalThis.print = (text) => { globalThis.__printed = String(text); };
  globalThis.$262 = { global: globalThis, gc() {}, evalScript: (text) => (0, eval)(text) };
`;
const IS_DONE = `if (globalThis.__printed !== "Test262:AsyncTestComplete") throw new Error("async: " + globalThis.__printed);`;

/** No rails, nothing removed: only the door that every isolate has. */
const BARE = `Object.defineProperty(globalThis, ${JSON.stringify(ENTER_GLOBAL)}, { value: (text) => text, configurable: true });`;

const isOurs = process.argv[2] === "ours";
const engine = new Engine({ file: engineFile(), prelude: isOurs ? await guestPrelude() : BARE });

process.on("message", (questions: readonly Question[]) => {
  process.send?.(questions.map((question): Answer => ({ name: question.name, thrown: outcomeIn(question) })));
});
process.on("disconnect", () => process.exit(0));
process.send?.([]);

function outcomeIn(question: Question): string {
  const isolate = engine.create(HEAP_MB);
  try {
    return outcomeOf(isolate, question);
  } finally {
    isolate.dispose();
  }
}

function outcomeOf(isolate: Isolate, { harness, source, isAsync, negative }: Question): string {
  const before = [HOST, ...harness].map((text) => thrownBy(isolate, text)).find((thrown) => thrown !== "");
  if (before !== undefined) return `harness: ${before}`;
  const thrown = thrownBy(isolate, source);
  if (negative !== undefined)
    return isOfType(thrown, negative.type) ? "" : `no ${negative.type}, but ${thrown || "nothing"}`;
  return thrown === "" && isAsync ? thrownBy(isolate, IS_DONE) : thrown;
}

/** What a script throws, as text; "" for nothing. */
function thrownBy(isolate: Isolate, text: string): string {
  try {
    isolate.evaluateSync(text, TIMEOUT_MS);
    return "";
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : `thrown: ${String(error)}`;
  }
}

/** Errors of the harness's own make cross as whatever the engine makes of them; both engines make the same. */
function isOfType(thrown: string, type: string): boolean {
  const isNative = /^(?:Syntax|Reference|Type|Range|Eval|URI)?Error$/.test(type);
  return isNative ? thrown.startsWith(`${type}:`) : thrown !== "";
}
