/**
 * The smoke test: what does not load, does not know its callers, cannot take over the state or forgets goes no further.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { ArbiterOptions } from "../../../evolution/options.ts";
import type { StageVerdict } from "../../../evolution/stage.ts";
import { smokeStage } from "../../../evolution/stages/smoke.ts";
import type { Runtime } from "../../../runtime/index.ts";
import { withRuntime } from "../../../runtime/testing.ts";
import type { TestScope } from "../../../runtime/testing.ts";
import { changed, saidOf, saidUnderKill } from "./trial.ts";

const NOTES = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ notes: [] as string[], title: "archive", seen: 0 }),
  on: {
    add(ctx, text: string) { ctx.state.notes.push(text); ctx.state.seen += 1; return ctx.state.notes.length; },
    list: { reads: true, handle: (ctx) => ctx.state.notes },
    count(ctx) { return ctx.state.seen; },
    file(ctx, row: { key: string; value: number }) { ctx.table("rows").put(row.key, row.value); return "filed"; },
    async find(ctx, key: string) { return (await ctx.table<number>("rows").get(key)) ?? null; },
    refuse() { throw new RangeError("never"); },
  },
});
`;

const ADD =
  "add(ctx, text: string) { ctx.state.notes.push(text); ctx.state.seen += 1; return ctx.state.notes.length; }";
const VERSION = "version: 1,";
const FIRST_STATE = 'state: () => ({ notes: [] as string[], title: "archive", seen: 0 }),';
const migrating = (migrate: string): string => changed(NOTES, VERSION, `version: 2, migrate${migrate},`);
const stopping = (body: string): string => changed(NOTES, "  on: {", `  stop(ctx) { ${body} },\n  on: {`);
const FOREVER = "for (;;);";
/** What does not end is stopped by the wall clock; little CPU time is enough to know it for what it is, on a busy machine too. */
const LIMITS = { cpuMs: 25, wallMs: 400 };

interface Case {
  readonly title: string;
  readonly source: string;
  readonly code: string;
  readonly reason: RegExp;
}

/** An agent with notes, rows and ten recorded turns. */
async function archive(t: TestScope, source = NOTES, limits = LIMITS): Promise<Runtime> {
  const runtime = await withRuntime(t);
  const notes = await runtime.spawn({ id: "notes", source, limits });
  for (const text of ["a", "b", "c"]) await notes.call("add", text);
  await notes.call("file", { key: "one", value: 1 });
  await notes.call("find", "one");
  await notes.call("list");
  await notes.call("count");
  await assert.rejects(notes.call("refuse"));
  await assert.rejects(notes.call("nowhere"));
  return runtime;
}

/** No turn can use more CPU time than the clock gives it: what does not end is ended by the clock. */
const CLOCKED = { cpuMs: 300, wallMs: 300 };

async function smoke(t: TestScope, source: string, options: ArbiterOptions = {}): Promise<StageVerdict> {
  return await saidOf(smokeStage, { runtime: await archive(t), agent: "notes", source, options });
}

describe("a candidate that can take over", () => {
  it("passes, and leaves the agent and the vault as they were", async (t) => {
    const runtime = await archive(t);
    const before = [runtime.vaultStats().branches, await runtime.ref("notes").call("list")];
    const source = changed(NOTES, ADD, `${ADD},\n    more: () => 1`);
    const said = await saidOf(smokeStage, { runtime, agent: "notes", source });
    assert.deepEqual([said.verdict, said.notes], ["pass", undefined], said.reason);
    assert.equal(said.figures?.["turns"], 10);
    // One more: the store of attacks has a journal.
    assert.deepEqual(
      [runtime.vaultStats().branches, await runtime.ref("notes").call("list")],
      [Number(before[0]) + 1, before[1]],
    );
  });

  it("passes with a migration; what it takes away is named", async (t) => {
    const keeps = migrating("(state) { return { ...state, pages: [] }; }");
    const { verdict, reason, notes } = await smoke(t, keeps);
    assert.deepEqual([verdict, notes], ["pass", undefined], reason);
    const drops = migrating("({ notes, seen }) { return { notes, seen }; }");
    const said = await smoke(t, drops);
    assert.equal(said.verdict, "pass", said.reason);
    assert.match(said.notes?.join("\n") ?? "", /takes away state\.title/);
  });

  for (const [what, migrate] of [
    ["that draws", "(state) { return { ...state, id: Math.random() }; }"],
    ["that reads the time", "(state) { return { ...state, at: Date.now() }; }"],
  ] as const) {
    it(`passes with a migration ${what}, and that is named`, async (t) => {
      const { verdict, notes } = await smoke(t, migrating(migrate));
      assert.equal(verdict, "pass");
      assert.match(notes?.join("\n") ?? "", /another time or with other chance/);
    });
  }

  it("passes where a method may do more or less than before, and that is named", async (t) => {
    const source = changed(
      changed(NOTES, "{ reads: true, handle: (ctx) => ctx.state.notes }", "(ctx) => ctx.state.notes"),
      "count(ctx) { return ctx.state.seen; }",
      "count: { reads: true, handle: (ctx) => ctx.state.seen }",
    );
    const { verdict, notes } = await smoke(t, source);
    assert.equal(verdict, "pass");
    assert.deepEqual(notes, ["list only read and is now free to write", "count was free to write and now only reads"]);
  });

  it("passes where it answers what the running version refuses", async (t) => {
    assert.equal((await smoke(t, changed(NOTES, 'throw new RangeError("never");', "return 1;"))).verdict, "pass");
  });

  it("passes where it forgets no more than the running version does", async (t) => {
    const forgetful = changed(NOTES, "count(ctx) { return ctx.state.seen; }", "count: () => ++seen").replace(
      "export default",
      "let seen = 0;\nexport default",
    );
    const runtime = await archive(t, forgetful);
    const source = changed(forgetful, "++seen", "(seen += 1)");
    const { verdict, notes } = await saidOf(smokeStage, { runtime, agent: "notes", source });
    assert.equal(verdict, "pass");
    assert.match(notes?.join("\n") ?? "", /as the running version, it answers differently after a restart/);
  });

  it("passes with a first state that chance makes, as the running version's; and with more in it", async (t) => {
    const born = changed(NOTES, "seen: 0", "seen: Math.floor(1_000 * Math.random())");
    const runtime = await archive(t, born);
    for (const source of [
      changed(born, "1_000 *", "1000 *"),
      changed(born, 'title: "archive"', 'title: "archive", pages: 1'),
    ])
      assert.equal((await saidOf(smokeStage, { runtime, agent: "notes", source })).verdict, "pass");
  });

  it("passes on an agent that was asked nothing yet", async (t) => {
    const runtime = await withRuntime(t);
    await runtime.spawn({ id: "notes", source: NOTES });
    const source = changed(NOTES, ADD, `${ADD},\n    more: () => 1`);
    assert.equal((await saidOf(smokeStage, { runtime, agent: "notes", source })).verdict, "pass");
  });

  it("passes with a stop() that works; one that throws is named", async (t) => {
    assert.equal((await smoke(t, stopping("ctx.state.title = 'closed';"))).verdict, "pass");
    const { verdict, notes } = await smoke(t, stopping("throw new Error('no');"));
    assert.equal(verdict, "pass");
    assert.match(notes?.join("\n") ?? "", /its stop\(\) threw Error: no/);
  });
});

describe("a candidate that is ended by the clock twice in a row, where the running version is not", () => {
  const endless: readonly (readonly [what: string, source: string, code: string])[] = [
    ["in a turn", changed(NOTES, "return ctx.state.seen;", "for (;;);"), "EVOLUTION_TOO_SLOW"],
    ["in its migrate()", migrating("() { for (;;); }"), "EVOLUTION_MIGRATE_FAILED"],
    ["in its stop()", stopping("for (;;);"), "EVOLUTION_TOO_SLOW"],
  ];
  for (const [what, source, code] of endless)
    it(`${what}, fails: it is no fault of the measurement, and freezes nothing`, async (t) => {
      const runtime = await archive(t, NOTES, CLOCKED);
      const said = await saidOf(smokeStage, { runtime, agent: "notes", source });
      assert.deepEqual([said.verdict, said.code], ["fail", code], said.reason);
    });
});

const HEAVY = `const heavy = Array.from({ length: 1_400_000 }, (_, index) => index + 0.5);\nexport default`;

const FAILING: readonly Case[] = [
  {
    title: "exports nothing that is an agent",
    source: "export default 7;",
    code: "EVOLUTION_NO_AGENT",
    reason: /default export/,
  },
  { title: "exports no agent", source: "export default { on: {} };", code: "EVOLUTION_NO_AGENT", reason: /version/ },
  {
    title: "throws while it loads",
    source: changed(NOTES, "export default", "if (true) throw new Error('not today');\nexport default"),
    code: "EVOLUTION_LOAD_FAILED",
    reason: /not today/,
  },
  {
    title: "does not come to the end of loading",
    source: changed(NOTES, "export default", `if (true) ${FOREVER}\nexport default`),
    code: "EVOLUTION_TOO_SLOW",
    reason: /does not load in time/,
  },
  {
    title: "does not fit into its heap",
    source: changed(
      NOTES,
      "export default",
      "const all: unknown[] = []; for (;;) all.push(new Array(10_000).fill(all.length));\nexport default",
    ),
    code: "EVOLUTION_MEMORY",
    reason: /does not load/,
  },
  {
    title: "fills its heap before its first message",
    source: changed(
      changed(NOTES, "export default", HEAVY),
      "ctx.state.seen; }",
      "ctx.state.seen + heavy.length * 0; }",
    ),
    code: "EVOLUTION_MEMORY",
    reason: /fills \d+ % of its heap/,
  },
  {
    title: "lacks methods in use, whether they were called or not",
    source: changed(
      changed(NOTES, "list: { reads: true, handle: (ctx) => ctx.state.notes },", ""),
      "async find(",
      "async look(",
    ),
    code: "EVOLUTION_METHODS_MISSING",
    reason: /lacks methods in use: find, list$/,
  },
  {
    title: "has another version and no migration",
    source: changed(NOTES, VERSION, "version: 2,"),
    code: "EVOLUTION_MIGRATE_FAILED",
    reason: /has no migrate\(\)/,
  },
  {
    title: "has a migration that throws",
    source: migrating("() { throw new TypeError('what is this?'); }"),
    code: "EVOLUTION_MIGRATE_FAILED",
    reason: /threw TypeError: what is this\?/,
  },
  {
    title: "has a migration that does not end",
    source: migrating(`(state) { ${FOREVER} return state; }`),
    code: "EVOLUTION_MIGRATE_FAILED",
    reason: /SANDBOX_CPU_EXCEEDED/,
  },
  {
    title: "has a migration that makes nothing a state can be",
    source: migrating("() { return { f: () => 1 }; }"),
    code: "EVOLUTION_MIGRATE_FAILED",
    reason: /SANDBOX_VALUE_UNCLONABLE|f/,
  },
  {
    title: "fails a recent request",
    source: changed(NOTES, ADD, "add(ctx, text: string) { return (undefined as unknown as string[]).push(text); }"),
    code: "EVOLUTION_ANSWER_DIFFERS",
    reason: /add is answered by the running version; it threw TypeError/,
  },
  {
    title: "does not end a recent request",
    source: changed(NOTES, "return ctx.state.seen;", FOREVER),
    code: "EVOLUTION_TOO_SLOW",
    reason: /count is answered/,
  },
  {
    title: "needs more memory for a recent request than there is",
    source: changed(
      NOTES,
      "return ctx.state.seen;",
      "const all: unknown[] = []; for (;;) all.push(new Array(100_000).fill(1));",
    ),
    code: "EVOLUTION_MEMORY",
    reason: /count is answered/,
  },
  {
    title: "lets a key of the state go without a new version",
    source: changed(
      NOTES,
      "return ctx.state.seen;",
      "delete (ctx.state as { title?: string }).title; return ctx.state.seen;",
    ),
    code: "EVOLUTION_STATE_LOST",
    reason: /state\.title is gone/,
  },
  {
    title: "lets a table go without a new version",
    source: changed(NOTES, '.put(row.key, row.value); return "filed";', '.delete(row.key); return "filed";'),
    code: "EVOLUTION_STATE_LOST",
    reason: /table\.rows is gone/,
  },
  {
    title: "keeps its notes outside of the state",
    source: changed(
      changed(
        changed(NOTES, "export default", "const kept: string[] = [];\nexport default"),
        "ctx.state.notes.push(text);",
        "kept.push(text);",
      ),
      "handle: (ctx) => ctx.state.notes",
      "handle: () => kept",
    ),
    code: "EVOLUTION_STATE_LOST",
    reason: /after a restart list answers differently/,
  },
  {
    title: "writes what it keeps outside of the state",
    source: changed(
      changed(NOTES, "export default", "let seen = 0;\nexport default"),
      "ctx.state.seen += 1;",
      "ctx.state.seen = ++seen;",
    ),
    code: "EVOLUTION_STATE_LOST",
    reason: /after a restart (add writes something else|count answers differently)/,
  },
  {
    title: "makes no state for a new agent",
    source: changed(NOTES, FIRST_STATE, "state: () => 7 as never,"),
    code: "EVOLUTION_LOAD_FAILED",
    reason: /a new agent cannot begin with it: its state\(\) threw/,
  },
  {
    title: "never ends making a state for a new agent",
    source: changed(NOTES, "state: () => (", "state: () => ((() => { for (;;); })(), "),
    code: "EVOLUTION_LOAD_FAILED",
    reason: /its state\(\) SANDBOX_CPU_EXCEEDED/,
  },
  {
    title: "makes a new agent know what it was never told",
    source: changed(NOTES, "seen: 0", "seen: 5"),
    code: "EVOLUTION_ANSWER_DIFFERS",
    reason: /a new agent that begins with it gives another answer to count/,
  },
  {
    title: "has a stop() that does not end",
    source: stopping(FOREVER),
    code: "EVOLUTION_TOO_SLOW",
    reason: /its stop\(\) SANDBOX_CPU_EXCEEDED/,
  },
];

describe("a candidate fails that", () => {
  // One agent for all of them: a smoke test leaves it as it is.
  const cleanUps: (() => Promise<void>)[] = [];
  let runtime: Runtime;
  before(async () => {
    runtime = await archive({ after: (cleanUp) => void cleanUps.push(cleanUp) });
  });
  after(async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  });

  for (const { title, source, code, reason } of FAILING) {
    it(title, async () => {
      const said = await saidOf(smokeStage, { runtime, agent: "notes", source });
      assert.deepEqual([said.verdict, said.code], ["fail", code], said.reason);
      assert.match(said.reason, reason);
    });
  }
});

describe("where answers are judged", () => {
  const sometimes = changed(
    NOTES,
    ADD,
    "add(ctx, text: string) { if (text === 'b') throw new Error('odd'); ctx.state.notes.push(text); return 1; }",
  );
  const options = { fitness: () => 1 };

  it("one recent request that fails is left to the stages that count, and named", async (t) => {
    const { verdict, notes } = await smoke(t, sometimes, options);
    assert.equal(verdict, "pass");
    assert.match(notes?.join("\n") ?? "", /1 of 9 recent turns fail/);
    assert.equal((await smoke(t, sometimes)).code, "EVOLUTION_ANSWER_DIFFERS", "not where they must be equal");
  });

  it("half of them are too many", async (t) => {
    const mostly = sometimes
      .replace("text === 'b'", "true")
      .replace("return ctx.state.seen", "throw new Error('odd')")
      .replace('"filed"', "(() => { throw new Error('odd'); })()");
    assert.equal((await smoke(t, mostly, options)).code, "EVOLUTION_ANSWER_DIFFERS");
  });
});

describe("a smoke test that is ended", () => {
  it("says nothing for or against the candidate", async (t) => {
    const source = changed(NOTES, ADD, `${ADD},\n    more: () => 1`);
    const own = await archive(t);
    const said = await saidOf(smokeStage, { runtime: own, agent: "notes", source, signal: AbortSignal.abort() });
    assert.deepEqual([said.verdict, said.code], ["inconclusive", "EVOLUTION_BUDGET_OVER"]);
  });
});

describe("a cell that is killed under a smoke test", () => {
  it("costs the candidate nothing: it is tried again by itself", async (t) => {
    const own = await archive(t);
    const source = changed(NOTES, ADD, `${ADD},\n    more: () => 1`);
    const { verdict, reason, killed } = await saidUnderKill(smokeStage, { runtime: own, agent: "notes", source });
    assert.equal(verdict, "pass", reason);
    assert.ok(killed > 0);
  });

  it("does not save one that fails", async (t) => {
    const source = changed(NOTES, "return ctx.state.seen;", "throw new Error('no');");
    const { verdict, code, killed } = await saidUnderKill(smokeStage, {
      runtime: await archive(t),
      agent: "notes",
      source,
    });
    assert.deepEqual([verdict, code], ["fail", "EVOLUTION_ANSWER_DIFFERS"]);
    assert.ok(killed > 0);
  });
});
