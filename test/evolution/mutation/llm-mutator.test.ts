/** The mutator that asks models, against an endpoint on this machine: what is asked, what comes of answers, what goes wrong. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { EvolutionError } from "../../../evolution/errors.ts";
import type { LlmMutatorOptions } from "../../../evolution/llm-options.ts";
import { llmMutator, type LlmMutator } from "../../../evolution/mutation/llm-mutator.ts";
import type { MutationGround } from "../../../evolution/mutation/mutator.ts";
import { systemClock, type Clock } from "../../../vault/index.ts";
import { chatServer, json, say } from "../../support/chat-server.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";
import { rawServer } from "../../support/web-server.ts";
import { groundOf, individual, proposalsOf, textsOf } from "./individuals.ts";

const program = "export function f(a) {\n  let sum = 0;\n  for (const x of a) sum -= x;\n  return sum;\n}\n";
const block = (search: string, replace: string): string =>
  `<<<<<<< SEARCH\n${search}\n=======\n${replace}\n>>>>>>> REPLACE\n`;
const code = (name: string) => ({ name: "EvolutionError", code: `EVOLUTION_${name}` });
const ground = (more: Partial<MutationGround> = {}): MutationGround => groundOf(program, 7, more);

/** Waits of retries are over at once, and noted; limits on a whole question never come. */
function hurried(waits: number[]): Clock {
  return {
    now: () => systemClock.now(),
    monotonicMs: () => systemClock.monotonicMs(),
    after(delayMs, fire) {
      if (delayMs > 150_000) return { cancel: () => undefined };
      waits.push(delayMs);
      const due = setImmediate(fire);
      return { cancel: () => clearImmediate(due) };
    },
  };
}

function asking(endpoint: string, more: Partial<LlmMutatorOptions> = {}): LlmMutator {
  const models = [{ name: "m", usdPerMillionIn: 1_000, usdPerMillionOut: 2_000 }];
  return llmMutator({
    endpoint,
    models,
    forms: ["edit"],
    privateAddresses: true,
    clock: hurried([]),
    env: { KEY: "sk-s3cr3t" },
    ...more,
  });
}

describe("a question to a model", () => {
  it("has the program, the task, the cases that fail and what may change, and is signed with the key", async (t) => {
    const server = await chatServer(t, (response) => say(response, block("  return sum;", "  return -sum;")));
    const start = program.indexOf("  return");
    const mutator = asking(server.endpoint, { key: { env: "KEY" }, forms: ["fix"], task: "Adds up a list." });
    const failures = [
      { caseId: "ones", args: [[1, 1n]], outcome: { kind: "returned", value: "x".repeat(5_000) }, score: 0 },
      { caseId: "none", args: [], outcome: { kind: "fuel" }, score: 0.25 },
    ] as const;
    const [text] = await textsOf(mutator, ground({ failures, evolvable: [{ start, end: program.length }] }), 1);
    assert.equal(text, program.replace("return sum", "return -sum"));
    const [asked] = server.asked;
    assert.equal(asked?.headers.authorization, "Bearer sk-s3cr3t");
    const { model, temperature, max_tokens, seed, messages } = asked.body as {
      messages: { content: string }[];
    } & Record<string, unknown>; // what this test asked
    assert.deepEqual([model, temperature, max_tokens, typeof seed], ["m", 0.8, 4_096, "number"]);
    const said = messages[1]?.content ?? "";
    for (const part of [
      "Adds up a list.",
      "```ts\n" + program,
      "Only these parts",
      '"ones": called with ([ 1, 1n ]) it returned',
      '"none": called with () it did not come to an end; score 0.25',
    ])
      assert.ok(said.includes(part), `${part} is missing in:\n${said}`);
    assert.ok(said.length < 3_000, "a long value is cut");
  });

  it("is the same for the same ground, and says what it cost", async (t) => {
    const server = await chatServer(t, (response) => say(response, block("sum -= x", "sum += x")));
    const mutator = asking(server.endpoint);
    const [first] = await proposalsOf(mutator, ground(), 1);
    const [second] = await proposalsOf(mutator, ground(), 1);
    assert.deepEqual(first, second);
    assert.deepEqual(server.asked[0]?.body, server.asked[1]?.body);
    const { promptHash, ...meta } = first?.meta ?? {};
    assert.match(promptHash ?? "", /^[0-9a-f]{64}$/);
    // 3 tokens at 1,000 and 2 at 2,000 USD for a million.
    assert.deepEqual(meta, { model: "m", tokensIn: 3, tokensOut: 2, usd: 0.007 });
    assert.deepEqual(mutator.spent, { calls: 2, tokens: 10, usd: 0.014, failures: 0 });
  });

  it("is estimated where the endpoint does not count", async (t) => {
    const server = await chatServer(t, (response) => say(response, "x".repeat(400), { usage: undefined }));
    const [proposal] = await proposalsOf(asking(server.endpoint), ground(), 1);
    assert.equal(proposal?.meta?.tokensOut, 100);
    assert.ok((proposal.meta.tokensIn ?? 0) > 100);
  });

  it("takes each form where it is possible, and other parents where they are needed", async (t) => {
    const server = await chatServer(t, (response) =>
      say(response, "```ts\nexport function f(a) { return a.length; }\n```"),
    );
    const forms = new Set<string>();
    const mutator = asking(server.endpoint, { forms: ["edit", "rewrite", "crossover", "fix"] });
    const mates = [individual("export function f() { return 'mate'; }")];
    for (const proposal of await proposalsOf(mutator, ground({ mates }), 30)) forms.add(proposal.note ?? "");
    assert.deepEqual([...forms].toSorted(), ["crossover", "edit: no code", "rewrite"]);
    assert.ok(server.asked.some(({ body }) => JSON.stringify(body).includes("return 'mate'")));
    assert.deepEqual(await proposalsOf(asking(server.endpoint, { forms: ["crossover", "fix"] }), ground(), 3), []);
  });

  it("is not asked about a program that is too long, nor once it is told to stop", async (t) => {
    const server = await chatServer(t);
    assert.deepEqual(await proposalsOf(asking(server.endpoint), groundOf("a;".repeat(40_000), 1), 1), []);
    assert.deepEqual(await proposalsOf(asking(server.endpoint), ground(), 3, AbortSignal.abort()), []);
    assert.equal(server.asked.length, 0);
  });
});

describe("an answer", () => {
  const range = { start: program.indexOf("  for"), end: program.indexOf("  return") };
  const edited = program.replace("-=", "+=");
  const line = "  for (const x of a) sum -= x;";
  for (const [title, form, answer, result] of [
    ["with a block", "edit", `Sure!\n\n${block(line, line.replace("-=", "+="))}`, edited],
    [
      "with the block's blanks changed",
      "edit",
      block("for (const x of a) sum -= x;  ", line.replace("-=", "+=")),
      edited,
    ],
    [
      "with line ends of another system",
      "edit",
      block(line, line.replace("-=", "+=")).replaceAll("\n", "\r\n"),
      edited,
    ],
    ["with a whole program", "rewrite", `Here it is:\n\`\`\`ts\n${edited}\`\`\`\nHave fun.`, edited],
    [
      "with a longer fence",
      "rewrite",
      `\`\`\`\`\n${edited.replace("sum;", "`sum`;")}\`\`\`\``,
      edited.replace("sum;", "`sum`;"),
    ],
    ["with nothing but code", "rewrite", edited, edited],
    ["that is no code", "edit", "I would rather not.", "edit: no code"],
    ["that is no code at all", "rewrite", "I would rather not.", "rewrite: no code"],
    ["that is empty", "edit", "", "edit: no code"],
    ["that was cut off", "rewrite", `\`\`\`ts\n${edited.slice(0, 60)}`, "rewrite: no code"],
    ["that was cut off in a block", "edit", block(line, "x").slice(0, -20), "edit: no code"],
    ["about other lines", "edit", block("  for (const y of a) sum -= y;", "y"), "edit: not found"],
    ["about no lines", "edit", block("", "y"), "edit: not found"],
    ["about lines that there are twice", "edit", block("sum", "total"), "edit: ambiguous"],
    [
      "with two blocks that overlap",
      "edit",
      block(line, "  sum = 1;") + block("sum -= x;", "sum = 2;"),
      "edit: overlapping",
    ],
    ["that changes nothing", "edit", block(line, line), "edit: no change"],
    ["that does not parse", "edit", block(line, "  for (const x of a) sum +=;"), "edit: no program"],
    ["with more blocks than anybody reads", "edit", block(line, "x").repeat(51), "edit: no code"],
  ] as const) {
    it(`${title}: ${result.slice(0, 20).includes("export") ? "becomes edits" : result}`, async (t) => {
      const server = await chatServer(t, (response) => say(response, answer));
      const mutator = asking(server.endpoint, { forms: [form] });
      const [proposal] = await proposalsOf(mutator, ground(), 1);
      const [text] = await textsOf(mutator, ground(), 1);
      if (result.startsWith("export")) assert.equal(text, result);
      else assert.deepEqual([proposal?.note, proposal?.edits, proposal?.meta?.tokensIn], [result, [], 3]);
    });
  }

  it("that touches what must not change is refused, and costs what it costs", async (t) => {
    let answer = block("  return sum;", "  return 0;");
    const server = await chatServer(t, (response) => say(response, answer));
    const mutator = asking(server.endpoint);
    const refused = async () =>
      (await proposalsOf(mutator, ground({ evolvable: [range] }), 1)).map(({ note, edits }) => [note, edits]);
    assert.deepEqual(await refused(), [["edit: outside", []]]);
    answer = block(`  let sum = 0;\n${line}`, `  let sum = 1;\n${line.replace("-=", "+=")}`);
    assert.deepEqual(await refused(), [["edit: outside", []]]);
    answer = block(`  let sum = 0;\n${line}`, `  let sum = 0;\n${line.replace("-=", "+=")}`);
    assert.deepEqual(await textsOf(mutator, ground({ evolvable: [range] }), 1), [edited]);
    assert.equal(mutator.spent.calls, 3);
  });

  it("of a hostile length is read in a time that goes with it", async (t) => {
    const answers = [
      block("x".repeat(200_000), "y"),
      block(" a\n".repeat(60_000), "y"),
      "```\n".repeat(100_000),
      "<<<<<<< SEARCH\n".repeat(50_000),
      `${"=".repeat(9)}\n`.repeat(50_000),
    ];
    const server = await chatServer(t, (response, _, count) => say(response, answers[count - 1] ?? ""));
    const from = performance.now();
    const proposals = await proposalsOf(asking(server.endpoint), groundOf(" a;\n".repeat(15_000), 1), answers.length);
    assert.equal(proposals.length, answers.length);
    for (const { edits } of proposals) assert.deepEqual(edits, []);
    assert.ok(performance.now() - from < 20_000, `${performance.now() - from} ms`);
  });
});

describe("an endpoint that", () => {
  for (const [title, answer, message] of [
    ["refuses the question", { status: 400, body: { error: { message: "no such field" } } }, /400.*no such field/],
    ["refuses the key", { status: 401, body: {} }, /401.*KEY/],
    ["has no such model", { status: 404, body: { error: "unknown model" } }, /404.*unknown model/],
    ["fails", { status: 500, body: { error: "oops" } }, /500.*oops/],
    ["answers with an error", { status: 200, body: { error: { message: "overloaded" } } }, /overloaded/],
    ["answers without choices", { status: 200, body: { choices: [] } }, /no choices/],
    ["answers with a list", { status: 200, body: [1] }, /no JSON object/],
  ] as const) {
    it(`${title}: EVOLUTION_MODEL_FAILED, and why`, async (t) => {
      const server = await chatServer(t, (response) => json(response, answer.status, answer.body));
      const mutator = asking(server.endpoint, { key: { env: "KEY" } });
      await assert.rejects(proposalsOf(mutator, ground(), 1), (error: EvolutionError) => {
        assert.equal(error.code, "EVOLUTION_MODEL_FAILED");
        assert.match(error.message, message);
        assert.ok(!error.message.includes("s3cr3t"));
        return true;
      });
      assert.equal(mutator.spent.failures, 1);
      await server.empty();
    });
  }

  for (const [title, content] of [
    ["a number", 7],
    ["null", null],
    ["an object", { text: "x" }],
  ] as const) {
    it(`says ${title} where its text should be: an answer without code`, async (t) => {
      const server = await chatServer(t, (response) =>
        json(response, 200, { choices: [{ message: { content }, finish_reason: 3 }], usage: "many" }),
      );
      const [proposal] = await proposalsOf(asking(server.endpoint), ground(), 1);
      assert.equal(proposal?.note, "edit: no code");
    });
  }

  for (const [title, bytes] of [
    [
      "breaks off within its answer",
      'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"choices":[',
    ],
    ["answers with half of a JSON", 'HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{"choices":['],
    ["says something else altogether", "SSH-2.0-OpenSSH\r\n\r\n"],
    ["hangs up", ""],
  ] as const) {
    it(`${title}: EVOLUTION_MODEL_FAILED`, async (t) => {
      const server = await rawServer(t, (socket) => socket.end(bytes));
      await assert.rejects(proposalsOf(asking(`${server.origin}/v1`), ground(), 1), code("MODEL_FAILED"));
    });
  }

  it("asks for patience is asked again when it said, with the same question", async (t) => {
    const server = await chatServer(t, (response, _, count) =>
      count < 3
        ? json(response, 429, { error: "slow down" }, { "retry-after": count === 1 ? "7" : "90" })
        : say(response, block("sum -= x", "sum += x")),
    );
    const waits: number[] = [];
    const mutator = asking(server.endpoint, { clock: hurried(waits) });
    assert.equal((await proposalsOf(mutator, ground(), 1)).length, 1);
    assert.deepEqual(
      waits.map((ms) => Math.floor(ms / 1_000)),
      [7, 90],
    );
    assert.equal(new Set(server.asked.map(({ body }) => JSON.stringify(body))).size, 1);
    assert.deepEqual([mutator.spent.calls, mutator.spent.failures], [1, 0]);
  });

  it("asks for more patience than there is, or again and again: EVOLUTION_MODEL_FAILED", async (t) => {
    const server = await chatServer(t, (response) =>
      json(response, 429, { error: "slow down" }, { "retry-after": "90" }),
    );
    const fail = async (patienceMs: number): Promise<number> => {
      const waits: number[] = [];
      await assert.rejects(
        proposalsOf(asking(server.endpoint, { clock: hurried(waits), patienceMs }), ground(), 1),
        code("MODEL_FAILED"),
      );
      return waits.length;
    };
    assert.equal(await fail(89_000), 0);
    assert.equal(await fail(90_000), 3);
  });

  it("never answers is left when the time is over: EVOLUTION_MODEL_FAILED, and what it may have spent counts", async (t) => {
    const clock = new SimulatedClock();
    const server = await chatServer(t, () => clock.advance(5_000));
    const mutator = asking(server.endpoint, { clock, timeoutMs: 5_000 });
    await assert.rejects(proposalsOf(mutator, ground(), 1), {
      ...code("MODEL_FAILED"),
      message: /did not answer within 5000 ms/,
    });
    assert.ok(mutator.spent.tokens > 4_096);
    assert.equal(clock.armed, 0);
    await server.empty();
  });

  it("is called off by the search: its reason, and no failure of the endpoint", async (t) => {
    const stop = new AbortController();
    const reason = new Error("the search is over");
    const server = await chatServer(t, () => stop.abort(reason));
    const mutator = asking(server.endpoint);
    await assert.rejects(proposalsOf(mutator, ground(), 1, stop.signal), reason);
    assert.equal(mutator.spent.failures, 0);
    await server.empty();
  });

  it("is not there, or whose key is not: EVOLUTION_MODEL_FAILED names what is missing", async () => {
    await assert.rejects(proposalsOf(asking("http://127.0.0.1:9/v1"), ground(), 1), code("MODEL_FAILED"));
    const keyless = asking("http://127.0.0.1:9/v1", { key: { env: "NO_SUCH_KEY" } });
    await assert.rejects(proposalsOf(keyless, ground(), 1), { ...code("MODEL_FAILED"), message: /NO_SUCH_KEY/ });
  });
});

describe("caps", () => {
  const useless = "I would rather not.";
  it("on calls: EVOLUTION_MODEL_CALLS_SPENT", async (t) => {
    const server = await chatServer(t, (response) => say(response, useless));
    const mutator = asking(server.endpoint, { limits: { calls: 2 } });
    await assert.rejects(proposalsOf(mutator, ground(), 3), code("MODEL_CALLS_SPENT"));
    assert.equal(server.asked.length, 2);
  });

  it("on tokens, those of questions in flight included: EVOLUTION_MODEL_TOKENS_SPENT", async (t) => {
    const server = await chatServer(t, (response) => say(response, useless));
    const mutator = asking(server.endpoint, { maxTokens: 1_000, limits: { tokens: 3_000 } });
    const tries = await Promise.allSettled(Array.from({ length: 5 }, () => proposalsOf(mutator, ground(), 1)));
    const spent = tries.filter((one) => one.status === "rejected").map(({ reason }) => (reason as EvolutionError).code);
    assert.deepEqual(
      spent,
      Array.from({ length: 3 }, () => "EVOLUTION_MODEL_TOKENS_SPENT"),
    );
    // Both were short after all: there is room again.
    assert.equal((await proposalsOf(mutator, ground(), 1)).length, 1);
  });

  it("on money: EVOLUTION_MODEL_MONEY_SPENT", async (t) => {
    const server = await chatServer(t, (response) => say(response, useless));
    // An answer of 1,000 tokens may cost 2 USD.
    const mutator = asking(server.endpoint, { maxTokens: 1_000, limits: { usd: 2.5 } });
    assert.equal((await proposalsOf(mutator, ground(), 5)).length, 5);
    const dear = asking(server.endpoint, { maxTokens: 2_000, limits: { usd: 2.5 } });
    await assert.rejects(proposalsOf(dear, ground(), 1), code("MODEL_MONEY_SPENT"));
    assert.equal(server.asked.length, 5);
  });

  it("on failures one after the other: EVOLUTION_MODEL_FAILING says the last one, and nobody is asked any more", async (t) => {
    let isDown = true;
    const server = await chatServer(t, (response) =>
      isDown ? json(response, 400, { error: "down" }) : say(response, useless),
    );
    const mutator = asking(server.endpoint, { limits: { failures: 2 } });
    const once = () => proposalsOf(mutator, ground(), 1);
    await assert.rejects(once(), code("MODEL_FAILED"));
    isDown = false;
    await once();
    isDown = true;
    await assert.rejects(once(), code("MODEL_FAILED"));
    await assert.rejects(once(), code("MODEL_FAILED"));
    await assert.rejects(once(), { ...code("MODEL_FAILING"), message: /2 questions failed.*down/ });
    assert.equal(server.asked.length, 4);
  });
});

describe("options", () => {
  const models = [{ name: "m" }];
  for (const [title, options, message] of [
    ["no endpoint", { models }, /endpoint/],
    ["no models", { endpoint: "https://a.example/v1", models: [] }, /models/],
    ["a key as a text", { endpoint: "https://a.example/v1", models, key: "sk-1" }, /name the variable/],
    ["money without prices", { endpoint: "https://a.example/v1", models, limits: { usd: 1 } }, /usdPerMillionIn/],
    ["a misspelt limit", { endpoint: "https://a.example/v1", models, limits: { call: 1 } }, /call/],
    ["an endpoint of this machine", { endpoint: "http://127.0.0.1:1/v1", models }, /privateAddresses/],
    ["no address", { endpoint: "nowhere", models }, /endpoint/],
    ["another mode", { endpoint: "https://a.example/v1", models, cassette: { mode: "auto", file: "f" } }, /cassette/],
  ] as const) {
    it(`with ${title}: EVOLUTION_OPTIONS_INVALID`, () => {
      assert.throws(() => llmMutator(options as unknown as LlmMutatorOptions), { ...code("OPTIONS_INVALID"), message });
    });
  }
});
