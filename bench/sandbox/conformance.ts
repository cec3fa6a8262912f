/**
 * Pure-JavaScript conformance: tests of test262 pass in an isolate of ours as they do in a bare one. The folder is the user's
 * own copy (`--test262 <dir>`, with `harness` and `test` in it); without it nothing is measured, and the report says so.
 *
 * Differences are of two kinds: those that the prelude makes on purpose, each listed with its reason in
 * known-differences.ts, and bugs.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Tools } from "../suite.ts";
import { removedFeature, knownDifference } from "./known-differences.ts";
import type { Answer, Question } from "./test262-child.ts";
import { frontmatterOf, runsOf } from "./test262-file.ts";

/** What the comparison found. */
export interface Conformance {
  readonly files: number;
  readonly runs: number;
  readonly bothPass: number;
  readonly bothFail: number;
  /** Left out: they test what the prelude removes. */
  readonly removed: number;
  /** Fail here alone, for a known reason: name and reason. */
  readonly known: readonly string[];
  /** Fail here alone, for no known reason: name and what was thrown. */
  readonly bugs: readonly string[];
  /** Pass here alone. */
  readonly onlyOurs: readonly string[];
}

const FOLDERS = ["language", "built-ins", "annexB"];
/** Helper files and fixtures of modules. */
const NO_TEST = /_FIXTURE\.js$|\.mjs$/;
const BATCH = 50;

/** Compares every n-th file so that about `filesMax` are run. */
export async function compareConformance(
  folder: string,
  { filesMax, progress }: { readonly filesMax: number; readonly progress: Tools["progress"] },
): Promise<Conformance> {
  const all = await testFiles(folder);
  const step = Math.max(1, Math.ceil(all.length / filesMax));
  const files = all.filter((_, index) => index % step === 0);
  progress(`${files.length} of ${all.length} files of test262`);
  const harness = await harnessOf(folder);
  const questions: Question[] = [];
  let removed = 0;
  for (const name of files) {
    const text = await readFile(join(folder, "test", name), "utf8");
    if (removedFeature(name, frontmatterOf(text).features) === undefined)
      questions.push(...questionsOf(name, text, harness));
    else removed++;
  }
  const [ours, bare] = await Promise.all([ask("ours", questions, progress), ask("bare", questions, progress)]);
  const pairs = questions.map(({ name }) => ({ name, ours: ours.get(name) ?? "lost", bare: bare.get(name) ?? "lost" }));
  return { files: files.length, removed, ...counted(pairs) };
}

async function testFiles(folder: string): Promise<readonly string[]> {
  const lists = await Promise.all(
    FOLDERS.map(async (name) =>
      (await readdir(join(folder, "test", name), { recursive: true })).map((path) => join(name, path)),
    ),
  );
  return lists
    .flat()
    .filter((name) => name.endsWith(".js") && !NO_TEST.test(name))
    .toSorted();
}

async function harnessOf(folder: string): Promise<ReadonlyMap<string, string>> {
  const names = (await readdir(join(folder, "harness"))).filter((name) => name.endsWith(".js"));
  const texts = await Promise.all(names.map((name) => readFile(join(folder, "harness", name), "utf8")));
  return new Map(names.map((name, index) => [name, texts[index] ?? ""]));
}

function questionsOf(file: string, text: string, harness: ReadonlyMap<string, string>): readonly Question[] {
  return runsOf(file, text).map(({ name, source, includes, isAsync, negative }) => {
    const scripts = includes.map((include) => harness.get(include) ?? MISSING_HARNESS[include] ?? "");
    return { name, source, harness: scripts, isAsync, negative };
  });
}

/** A copy of test262 without its handler for asynchronous tests gets the same in three lines. */
const MISSING_HARNESS: Readonly<Record<string, string>> = {
  "doneprintHandle.js": `globalThis.$DONE = (error) => print(error ? "Test262:AsyncTestFailure:" + error : "Test262:AsyncTestComplete");`,
};

/** Runs the questions in a process of one kind, batch by batch. What was thrown, by name. */
async function ask(
  kind: "ours" | "bare",
  questions: readonly Question[],
  progress: Tools["progress"],
): Promise<ReadonlyMap<string, string>> {
  const child = fork(join(import.meta.dirname, "test262-child.ts"), [kind], { execArgv: ["--no-node-snapshot"] });
  await heard(child); // it is ready
  const thrown = new Map<string, string>();
  for (let index = 0; index < questions.length; index += BATCH) {
    child.send(questions.slice(index, index + BATCH));
    for (const answer of await heard(child)) thrown.set(answer.name, answer.thrown);
    if (index % (BATCH * 50) === 0) progress(`${index} of ${questions.length} runs (${kind})`);
  }
  child.disconnect();
  return thrown;
}

async function heard(child: ChildProcess): Promise<readonly Answer[]> {
  const ended = new AbortController();
  const exited = once(child, "exit", { signal: ended.signal }).then(([code, signal]) => {
    throw new Error(`the process of the tests ended: ${String(code ?? signal)}`);
  });
  exited.catch(() => {}); // when it was not the first to happen
  try {
    const [answers] = await Promise.race([once(child, "message", { signal: ended.signal }), exited]);
    return answers as readonly Answer[]; // sent by test262-child.ts
  } finally {
    ended.abort();
  }
}

interface Pair {
  readonly name: string;
  readonly ours: string;
  readonly bare: string;
}

function counted(pairs: readonly Pair[]): Omit<Conformance, "files" | "removed"> {
  const alone = pairs.filter(({ ours, bare }) => ours !== "" && bare === "");
  const reasons = alone.map((pair) => ({ ...pair, reason: knownDifference(pair.name, pair.ours) }));
  return {
    runs: pairs.length,
    bothPass: pairs.filter(({ ours, bare }) => ours === "" && bare === "").length,
    bothFail: pairs.filter(({ ours, bare }) => ours !== "" && bare !== "").length,
    known: reasons.flatMap(({ name, reason }) => (reason === undefined ? [] : [`${name}: ${reason}`])),
    bugs: reasons.flatMap(({ name, ours, reason }) => (reason === undefined ? [`${name}: ${ours}`] : [])),
    onlyOurs: pairs.filter(({ ours, bare }) => ours === "" && bare !== "").map(({ name, bare }) => `${name}: ${bare}`),
  };
}
