/** Recorded answers: kept, found again, and what is said where they are not. The two cassettes are in test/fixtures/mutation. */
import assert from "node:assert/strict";
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { CassetteOptions, PromptForm } from "../../../evolution/llm-options.ts";
import { llmMutator, type LlmMutator } from "../../../evolution/mutation/llm-mutator.ts";
import type { MutationGround } from "../../../evolution/mutation/mutator.ts";
import { chatServer, json, say, type ChatPlace } from "../../support/chat-server.ts";
import { groundOf, individual, proposalsOf, textsOf } from "./individuals.ts";

const program = "export function f(a) {\n  let sum = 0;\n  for (const x of a) sum -= x;\n  return sum;\n}\n";
const code = (name: string) => ({ name: "EvolutionError", code: `EVOLUTION_CASSETTE_${name}` });
/** Nobody listens there. */
const NOBODY = "http://127.0.0.1:9/v1";

function playing(
  endpoint: string,
  cassette: CassetteOptions,
  forms: readonly PromptForm[] = ["edit"],
  more: object = {},
): LlmMutator {
  return llmMutator({ endpoint, models: [{ name: "m" }], forms, privateAddresses: true, cassette, ...more });
}

async function cassetteFile(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "planaria-cassette-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "a.jsonl");
}

/** Each answer is another one. */
const counting = (t: TestContext): Promise<ChatPlace> =>
  chatServer(t, (response, _, count) =>
    say(response, `<<<<<<< SEARCH\n  let sum = 0;\n=======\n  let sum = ${count};\n>>>>>>> REPLACE`),
  );

describe("a cassette", () => {
  it("that is recorded is replayed without an endpoint, letter by letter, caps and costs included", async (t) => {
    const file = await cassetteFile(t);
    const server = await counting(t);
    const recording = playing(server.endpoint, { mode: "record", file });
    const recorded = await proposalsOf(recording, groundOf(program, 7), 3);
    assert.equal(server.asked.length, 3);
    const replaying = playing(NOBODY, { mode: "replay-or-fail", file });
    assert.deepEqual(await proposalsOf(replaying, groundOf(program, 7), 3), recorded);
    assert.deepEqual(replaying.spent, recording.spent);
    const capped = playing(NOBODY, { mode: "replay-or-fail", file }, ["edit"], { limits: { calls: 2 } });
    await assert.rejects(proposalsOf(capped, groundOf(program, 7), 3), { code: "EVOLUTION_MODEL_CALLS_SPENT" });
  });

  it("in mode replay asks what is not recorded, once; in mode record always; in mode off never looks", async (t) => {
    const file = await cassetteFile(t);
    const server = await counting(t);
    const texts = (mode: CassetteOptions["mode"], count: number) =>
      textsOf(playing(server.endpoint, { mode, file }), groundOf(program, 7), count);
    const numbers = async (mode: CassetteOptions["mode"], count: number) =>
      (await texts(mode, count)).map((text) => Number(/sum = (\d+)/.exec(text)?.[1]));
    assert.deepEqual(await numbers("replay", 1), [1]);
    assert.deepEqual(await numbers("replay", 2), [1, 2]);
    assert.deepEqual(await numbers("record", 1), [3]);
    assert.deepEqual(await numbers("replay", 2), [3, 2]);
    assert.deepEqual(await numbers("off", 1), [4]);
  });

  it("has failures as well: they are replayed where nobody can be asked, and asked again where somebody can", async (t) => {
    const file = await cassetteFile(t);
    let isDown = true;
    const server = await chatServer(t, (response) =>
      isDown ? json(response, 400, { error: "down" }) : say(response, "no"),
    );
    const once = (mode: CassetteOptions["mode"]) =>
      proposalsOf(playing(server.endpoint, { mode, file }), groundOf(program, 7), 1);
    await assert.rejects(once("record"), { code: "EVOLUTION_MODEL_FAILED", message: /down/ });
    isDown = false;
    await assert.rejects(once("replay-or-fail"), { code: "EVOLUTION_MODEL_FAILED", message: /down/ });
    assert.equal((await once("replay")).length, 1);
    assert.equal((await once("replay-or-fail")).length, 1);
  });

  it("of another prompt: EVOLUTION_CASSETTE_MISMATCH names the nearest one and where it differs", async (t) => {
    const file = await cassetteFile(t);
    const server = await counting(t);
    const other = "export function g(b, c) {\n  return b.filter((y) => y > c).map((y) => [y, c]).flat();\n}\n";
    for (const text of [other, program])
      await proposalsOf(playing(server.endpoint, { mode: "record", file }), groundOf(text, 7), 1);
    const [, nearest] = readFileSync(file, "utf8")
      .split("\n")
      .map((line) => /"request":"(\w{12})/.exec(line)?.[1]);
    const changed = groundOf(program.replace("sum -= x", "sum -= 2 * x"), 7);
    const mutator = playing(NOBODY, { mode: "replay-or-fail", file });
    await assert.rejects(proposalsOf(mutator, changed, 1), (error: Error) => {
      assert.deepEqual([error.name, "code" in error && error.code], ["EvolutionError", "EVOLUTION_CASSETTE_MISMATCH"]);
      assert.ok(error.message.includes(`the nearest recorded one is ${nearest} (edit to m)`), error.message);
      assert.match(
        error.message,
        /line 5 is "  for \(const x of a\) sum -= 2 \* x;" here and "  for \(const x of a\) sum -= x;" there/,
      );
      return true;
    });
    assert.deepEqual(mutator.spent, { calls: 1, tokens: 0, usd: 0, failures: 0 });
    await assert.rejects(proposalsOf(mutator, groundOf(program, 8), 1), {
      ...code("MISMATCH"),
      message: /differs in its settings alone/,
    });
    rmSync(file);
    await assert.rejects(proposalsOf(playing(NOBODY, { mode: "replay-or-fail", file }), changed, 1), {
      ...code("MISMATCH"),
      message: /it is empty/,
    });
  });

  it("that was torn by a crash loses its last line, and goes on behind the others", async (t) => {
    const file = await cassetteFile(t);
    const server = await counting(t);
    await proposalsOf(playing(server.endpoint, { mode: "record", file }), groundOf(program, 7), 2);
    writeFileSync(file, readFileSync(file).subarray(0, -5));
    await proposalsOf(playing(server.endpoint, { mode: "replay", file }), groundOf(program, 7), 2);
    assert.equal(server.asked.length, 3);
    assert.equal(
      (await proposalsOf(playing(NOBODY, { mode: "replay-or-fail", file }), groundOf(program, 7), 2)).length,
      2,
    );
  });

  for (const [title, line] of [
    ["no JSON", "{"],
    ["a number", "7"],
    ["null", "null"],
    ["a record without an answer", JSON.stringify({ request: "a".repeat(64), form: "edit", model: "m", prompt: "p" })],
    [
      "an answer without a count",
      JSON.stringify({
        request: "a".repeat(64),
        form: "edit",
        model: "m",
        prompt: "p",
        answer: { text: "x", tokensIn: -1, tokensOut: 0 },
      }),
    ],
    ["a record without a name", JSON.stringify({ request: "a", form: "edit", model: "m", prompt: "p", failure: "f" })],
  ] as const) {
    it(`with ${title} in it: EVOLUTION_CASSETTE_INVALID names the line`, async (t) => {
      const file = await cassetteFile(t);
      const server = await counting(t);
      await proposalsOf(playing(server.endpoint, { mode: "record", file }), groundOf(program, 7), 1);
      appendFileSync(file, `${line}\n`);
      const once = proposalsOf(playing(server.endpoint, { mode: "replay", file }), groundOf(program, 7), 1);
      await assert.rejects(once, { ...code("INVALID"), message: /line 2/ });
    });
  }

  it("that is a folder, or lies in one that is not there: EVOLUTION_CASSETTE_INVALID", async (t) => {
    const file = await cassetteFile(t);
    const server = await counting(t);
    const once = (path: string) =>
      proposalsOf(playing(server.endpoint, { mode: "record", file: path }), groundOf(program, 7), 1);
    await assert.rejects(once(join(file, "..")), code("INVALID"));
    await assert.rejects(once(join(file, "b", "c.jsonl")), {
      ...code("INVALID"),
      message: /cannot be written \(ENOENT\)/,
    });
  });
});

/** RECORD=1 asks a scripted endpoint and writes the fixtures anew. */
const isRecording = process.env["RECORD"] === "1";
const fixture = (name: string): string =>
  join(import.meta.dirname, "..", "..", "fixtures", "mutation", `${name}.cassette.jsonl`);
const failures = [{ caseId: "ones", args: [[1, 1, 1]], outcome: { kind: "returned", value: -3 }, score: 0 }] as const;
const mates = [individual("export function f(list) {\n  return list.reduce((a, b) => a + b);\n}\n")];

const CASSETTES: readonly {
  readonly name: string;
  readonly seed: number;
  readonly forms: readonly PromptForm[];
  readonly more: Partial<MutationGround>;
  readonly answers: readonly string[];
  readonly notes: readonly string[];
  readonly texts: readonly string[];
}[] = [
  {
    name: "repair",
    seed: 11,
    forms: ["fix", "edit"],
    more: { failures },
    answers: [
      "The loop takes away.\n\n<<<<<<< SEARCH\n  for (const x of a) sum -= x;\n=======\n  for (const x of a) sum += x;\n>>>>>>> REPLACE\n",
      "<<<<<<< SEARCH\n  return total;\n=======\n  return -total;\n>>>>>>> REPLACE\n",
      "<<<<<<< SEARCH\n  return sum;\n=======\n  return Math.abs(sum);\n>>>>>>> REPLACE\n",
    ],
    notes: ["fix", "edit: not found", "fix"],
    texts: [program.replace("-=", "+="), program, program.replace("return sum", "return Math.abs(sum)")],
  },
  {
    name: "whole",
    seed: 17,
    forms: ["rewrite", "crossover"],
    more: { mates },
    answers: [
      "```ts\nexport function f(a) {\n  return a.reduce((x, y) => x + y, 0);\n}\n```",
      "There is nothing to improve.",
      "```js\nexport function f(a) {\n  let sum = 0;\n  for (const x of a) sum += x;\n  return sum;\n}\n```\nBoth add up.",
    ],
    notes: ["rewrite", "rewrite: no code", "crossover"],
    texts: [
      "export function f(a) {\n  return a.reduce((x, y) => x + y, 0);\n}\n",
      program,
      program.replace("-=", "+="),
    ],
  },
];

describe("the recorded cassette", () => {
  for (const { name, seed, forms, more, answers, notes, texts } of CASSETTES) {
    it(`${name} gives the same proposals on every machine`, async (t) => {
      let endpoint = NOBODY;
      if (isRecording) {
        rmSync(fixture(name), { force: true });
        ({ endpoint } = await chatServer(t, (response, _, count) => say(response, answers[count - 1] ?? "")));
      }
      const mode = isRecording ? "record" : "replay-or-fail";
      const ground = () => groundOf(program, seed, more);
      const mutator = playing(endpoint, { mode, file: fixture(name) }, forms, { task: "Adds up a list of numbers." });
      const proposals = await proposalsOf(mutator, ground(), 3);
      assert.deepEqual(
        proposals.map(({ note }) => note),
        notes,
      );
      const again = playing(NOBODY, { mode: "replay-or-fail", file: fixture(name) }, forms, {
        task: "Adds up a list of numbers.",
      });
      assert.deepEqual(await textsOf(again, ground(), 3), texts);
    });
  }
});
