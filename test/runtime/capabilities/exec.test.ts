/** `exec` with real programs: runs, streams and questions, good ones and those that hang, crash, lie and flood. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it, type TestContext } from "node:test";
import { execCapability } from "../../../runtime/capabilities/exec.ts";
import type { ExecProgramGrant } from "../../../runtime/capabilities/exec-grant.ts";
import { JOB_LIMITS, type ExecResult } from "../../../sandbox/index.ts";
import { systemClock, type Clock } from "../../../vault/index.ts";
import { direct, type CallSetting, type DirectCalls } from "../../support/capability-call.ts";
import { withoutJobs } from "../../support/jobs.ts";
import { processesWith } from "../../support/processes.ts";
import { until } from "../../sandbox/support.ts";

const skip = await withoutJobs();
const code = (expected: string, message: RegExp = /./) => ({ code: `RUNTIME_CAPABILITY_${expected}`, message });

/** `exec` for one program `p`: node with this code, where the grant names nothing else. */
function exec(
  t: TestContext,
  source: string,
  { grant, ...setting }: Omit<CallSetting, "grant"> & { readonly grant?: Partial<ExecProgramGrant> } = {},
): DirectCalls {
  const programs = { p: { file: process.execPath, args: ["-e", source], timeoutMs: 5_000, ...grant } };
  const calls = direct(execCapability, { ...setting, grant: { programs } });
  t.after(() => calls.end());
  return calls;
}

/** Answers each line with what `reply` makes of it. */
const server = (reply: string): string =>
  `require("readline").createInterface({ input: process.stdin }).on("line", (line) => { const q = JSON.parse(line); ${reply} });`;
const ECHO = server("console.log(JSON.stringify({ pid: process.pid, q }))");

describe("a run", { skip }, () => {
  it("gives its outputs, its code and its time", async (t) => {
    const { ask } = exec(
      t,
      "process.stdin.pipe(process.stdout); console.error(process.argv[1]); process.exitCode = 3",
      {
        grant: {
          args: [
            "-e",
            "process.stdin.pipe(process.stdout); console.error(process.argv[1]); process.exitCode = 3",
            { arg: "x" },
          ],
        },
      },
    );
    const { ms, ...result } = (await ask("call", "p", { args: { x: "a b" }, input: "hällo" })) as ExecResult;
    assert.deepEqual(result, { code: 3, signal: null, stdout: "hällo", stderr: "a b\n", isTruncated: false });
    assert(ms > 0);
  });

  it("reads and writes values where the grant says so", async (t) => {
    const source = `let all = ""; process.stdin.on("data", (part) => (all += part)).on("end", () => console.log(JSON.stringify(all.trim().split("\\n").map(JSON.parse))))`;
    const list = [{ a: 1 }, null, "x"];
    const json = exec(t, source, { grant: { input: "json-lines", output: "json" } });
    assert.deepEqual(((await json.ask("call", "p", { input: list })) as ExecResult).stdout, list);
    const lines = exec(t, "console.log(1); console.log(); console.log('[2]')", {
      grant: { output: "json-lines", input: "none" },
    });
    assert.deepEqual(((await lines.ask("call", "p")) as ExecResult).stdout, [1, [2]]);
    const bytes = exec(t, "process.stdout.write(Buffer.from([0, 255]))", { grant: { output: "bytes" } });
    assert.deepEqual(((await bytes.ask("call", "p")) as ExecResult).stdout, new Uint8Array([0, 255]));
    await assert.rejects(lines.ask("call", "p", { input: "x" }), code("INVALID", /takes none/));
    await assert.rejects(json.ask("call", "p", { input: "x" }), code("INVALID", /list/));
    await assert.rejects(json.ask("call", "p", { input: [1n] }), code("INVALID", /JSON/));
    await assert.rejects(bytes.ask("call", "p", { input: ["x"] }), code("INVALID", /text or bytes/));
  });

  it("that writes more than it may is cut off, and its flood costs nobody anything", async (t) => {
    const { ask } = exec(t, "", { grant: { file: "/usr/bin/yes", args: [], outputBytesMax: 1_000 } });
    const result = (await ask("call", "p")) as ExecResult;
    assert.deepEqual([result.stdout.length, result.isTruncated], [1_000, true]);
    const value = exec(t, "console.log(JSON.stringify('x'.repeat(2000)))", {
      grant: { output: "json", outputBytesMax: 1_000 },
    });
    await assert.rejects(value.ask("call", "p"), code("TOO_LARGE"));
    const input = exec(t, "", { grant: { inputBytesMax: 3 } });
    await assert.rejects(input.ask("call", "p", { input: "öö" }), code("TOO_LARGE"));
  });

  it("that takes too long, says nothing or wants too much is ended, and the code says what it was", async (t) => {
    await assert.rejects(
      exec(t, "for (;;);", { grant: { timeoutMs: 100 } }).ask("call", "p"),
      code("TIMEOUT", /100 ms/),
    );
    await assert.rejects(
      exec(t, "setInterval(() => {}, 1000)", { grant: { idleMs: 200 } }).ask("call", "p"),
      code("TIMEOUT", /said nothing/),
    );
    const hog = "const all = []; for (;;) all.push(Buffer.alloc(1e6, 1))";
    await assert.rejects(exec(t, hog, { grant: { memoryMb: 80 } }).ask("call", "p"), code("FAILED", /80 MiB/));
  });

  it("ends with the turn that asked", async (t) => {
    const turn = new AbortController();
    const { ask } = exec(t, "setInterval(() => {}, 1000)", { signal: turn.signal });
    const run = ask("call", "p");
    turn.abort();
    await assert.rejects(run, code("ABORTED"));
  });

  it("is refused for a program that was not granted, with the names that were", async (t) => {
    await assert.rejects(exec(t, "").ask("call", "q"), code("DENIED", /there are: p/));
  });

  it("is refused where the program is not there, and only the operator hears where", async (t) => {
    const { ask, notes } = exec(t, "", { grant: { file: "/opt/no/such" } });
    await assert.rejects(
      ask("call", "p"),
      (error: Error) => !error.message.includes("/opt") && /not there/.test(error.message),
    );
    assert.match(notes[0] ?? "", /\/opt\/no\/such/);
  });

  it("gets its secrets, and is refused where one is missing", async (t) => {
    const grant = { env: { TOKEN: { env: "GIVEN" }, PLAIN: "x" } };
    const source = "console.log(process.env.TOKEN, process.env.PLAIN, process.env.GIVEN)";
    const { ask } = exec(t, source, { grant, env: { GIVEN: "secret" } });
    assert.equal(((await ask("call", "p")) as ExecResult).stdout, "secret x undefined\n");
    await assert.rejects(exec(t, source, { grant }).ask("call", "p"), code("UNAVAILABLE", /GIVEN/));
  });
});

describe("a stream", { skip }, () => {
  it("is its lines as they come, and the program ends when nobody reads on", async (t) => {
    const { whole, parts } = exec(t, "console.log('a'); console.log(); process.stdout.write('b\\r\\nc')");
    assert.deepEqual(await whole("stream", "p"), ["a", "", "b", "c"]);
    const endless = exec(t, "let i = 0; setInterval(() => console.log(JSON.stringify(i++)), 1)", {
      grant: { output: "json-lines" },
    });
    for await (const part of endless.parts("stream", "p")) if (part === 3) break;
    for await (const part of parts("stream", "p")) if (part === "a") break;
  });

  it("fails with the code and the last words of a program that fails", async (t) => {
    const { whole } = exec(t, "console.log('a'); console.error('no disk'); process.exitCode = 4");
    await assert.rejects(whole("stream", "p"), code("FAILED", /code 4: no disk/));
  });

  it("fails at a line that is too long, and at one that is no JSON", async (t) => {
    const long = exec(t, "const x = 'x'.repeat(1e6); for (let i = 0; i < 100; i++) process.stdout.write(x)");
    await assert.rejects(long.whole("stream", "p"), code("TOO_LARGE", /line/));
    const garbage = exec(t, "console.log('{')", { grant: { output: "json-lines" } });
    await assert.rejects(garbage.whole("stream", "p"), code("FAILED", /no JSON/));
  });
});

interface Echo {
  readonly pid: number;
  readonly q: unknown;
}

describe("a program that is asked", { skip }, () => {
  it("stays, and answers in order", async (t) => {
    const { ask } = exec(t, ECHO);
    const answers = (await Promise.all([1, 2, 3].map((q) => ask("ask", "p", q)))) as Echo[];
    assert.deepEqual(
      answers.map(({ q }) => q),
      [1, 2, 3],
    );
    assert.equal(new Set(answers.map(({ pid }) => pid)).size, 1);
    await assert.rejects(ask("ask", "p", undefined), code("INVALID", /JSON/));
  });

  it("answers by name in any order, where the grant says so", async (t) => {
    const late = server("setTimeout(() => console.log(JSON.stringify({ ...q, done: true })), q.ms)");
    const { ask } = exec(t, late, { grant: { ask: { id: "n" } } });
    const order: number[] = [];
    await Promise.all([100, 1].map(async (ms) => order.push(((await ask("ask", "p", { ms })) as { ms: number }).ms)));
    assert.deepEqual(order, [1, 100]);
    await assert.rejects(ask("ask", "p", 7), code("INVALID", /object/));
  });

  it("that hangs is ended, and the next question finds another", async (t) => {
    const { ask } = exec(t, server("if (q === 'hang') for (;;); console.log(q)"), { grant: { timeoutMs: 1_000 } });
    assert.equal(await ask("ask", "p", 1), 1);
    const [hung, waiting] = await Promise.allSettled([ask("ask", "p", "hang"), ask("ask", "p", 2)]);
    assert(hung.status === "rejected" && waiting.status === "rejected");
    assert.match(String(hung.reason), /did not answer within 1000 ms/);
    assert.equal(await ask("ask", "p", 3), 3);
  });

  it("that crashes tells how, with its last words, to all that wait", async (t) => {
    const { ask } = exec(
      t,
      server("if (q === 'die') { console.error('x'.repeat(100_000) + 'broken'); process.exit(9); }"),
    );
    const asked = await Promise.allSettled([ask("ask", "p", "wait"), ask("ask", "p", "die")]);
    for (const each of asked) {
      assert(each.status === "rejected");
      assert.match(String(each.reason), /code 9: x+broken$/);
      assert(String(each.reason).length < 1_000);
    }
  });

  const liars: readonly (readonly [string, string, RegExp])[] = [
    ["writes what is no JSON", "console.log('<html>')", /no JSON/],
    ["closes its output", "require('fs').closeSync(1); setInterval(() => {}, 1000)", /ended/],
    [
      "writes a line of 100 MB",
      "const x = 'x'.repeat(1e6); for (let i = 0; i < 100; i++) process.stdout.write(x)",
      /line of more than/,
    ],
  ];
  for (const [what, reply, message] of liars) {
    it(`that ${what} is ended, and the next question finds another`, async (t) => {
      const grant = { timeoutMs: 500 };
      const { ask } = exec(t, server(`if (q === 'lie') { ${reply} } else console.log(q)`), { grant });
      assert.equal(await ask("ask", "p", 1), 1);
      const answers = await Promise.allSettled([ask("ask", "p", "lie"), ask("ask", "p", "more")]);
      assert.match(answers.map((each) => (each.status === "rejected" ? String(each.reason) : "")).join(), message);
      assert.equal(await ask("ask", "p", 2), 2);
    });
  }

  it("that answers what nobody asked is ended", async (t) => {
    const { ask } = exec(t, server("console.log(JSON.stringify({ n: q.n + (q.lie ? 7 : 0) }))"), {
      grant: { ask: { id: "n" } },
    });
    await assert.rejects(ask("ask", "p", { lie: true }), code("FAILED", /answers no question/));
    assert.deepEqual(await ask("ask", "p", {}), { n: 1 });
  });

  it("that fails too often rests, with the reason", async (t) => {
    const { ask } = exec(t, "console.error('no config'); process.exit(1)", { grant: { ask: { intensity: 2 } } });
    for (let turn = 0; turn < 3; turn++) await assert.rejects(ask("ask", "p", 1), code("FAILED", /no config/));
    await assert.rejects(ask("ask", "p", 1), code("UNAVAILABLE", /2 restarts within 60000 ms.*no config/s));
  });

  it("that rests is started again when its time is over", async (t) => {
    let lateMs = 0;
    const clock: Clock = {
      now: () => systemClock.now(),
      after: (ms, tell) => systemClock.after(ms, tell),
      monotonicMs: () => systemClock.monotonicMs() + lateMs,
    };
    const { ask } = exec(t, "process.exit(1)", { grant: { ask: { intensity: 1, periodMs: 60_000 } }, clock });
    for (let turn = 0; turn < 2; turn++) await assert.rejects(ask("ask", "p", 1), code("FAILED"));
    for (let turn = 0; turn < 2; turn++) await assert.rejects(ask("ask", "p", 1), code("UNAVAILABLE", /rests/));
    lateMs = 60_001;
    await assert.rejects(ask("ask", "p", 1), code("FAILED", /code 1/));
  });

  it("that does not hear its end is waited for, by the next one and by the end of the agent's life", async (t) => {
    const word = `exec${randomBytes(8).toString("hex")}`;
    const deaf = `process.on("SIGTERM", () => {}); ${server("if (q !== 'hang') console.log(q)")}`;
    const grant = { args: ["-e", deaf, word], timeoutMs: 1_000 };
    const clock: Clock = {
      now: () => systemClock.now(),
      monotonicMs: () => systemClock.monotonicMs(),
      after: (ms, tell) => systemClock.after(ms === JOB_LIMITS.graceMs ? 200 : ms, tell),
    };
    const { ask, end } = exec(t, "", { grant, clock });
    assert.equal(await ask("ask", "p", 1), 1);
    const alone = processesWith(word).length;
    await assert.rejects(ask("ask", "p", "hang"), code("TIMEOUT"));
    assert.equal(await ask("ask", "p", 2), 2);
    assert.equal(processesWith(word).length, alone);
    await assert.rejects(ask("ask", "p", "hang"), code("TIMEOUT"));
    await end();
    assert.deepEqual(processesWith(word), []);
  });

  it("is let go when nobody asks it anything, which counts as no failure", async (t) => {
    const word = `exec${randomBytes(8).toString("hex")}`;
    const grant = { args: ["-e", ECHO, word], idleMs: 50, ask: { intensity: 0 } };
    const { ask } = exec(t, "", { grant });
    for (const q of [1, 2]) {
      assert.equal(((await ask("ask", "p", q)) as Echo).q, q);
      await until(() => processesWith(word).length === 0);
    }
  });

  it("never reads: what waits for it is bounded", async (t) => {
    const { ask } = exec(t, "setInterval(() => {}, 1000)", { grant: { timeoutMs: 400 } });
    const big = "x".repeat(900_000);
    const asked = await Promise.allSettled(Array.from({ length: 20 }, () => ask("ask", "p", big)));
    const reasons = asked.map((each) => (each.status === "rejected" ? String(each.reason) : "answered"));
    assert.equal(reasons.filter((reason) => /16 questions/.test(reason)).length, 4);
    assert(!reasons.includes("answered"));
  });

  it("ends with the life of the agent", async (t) => {
    const { ask, end } = exec(t, ECHO);
    await ask("ask", "p", 1);
    await end();
    await assert.rejects(ask("ask", "p", 2), code("ABORTED"));
  });

  it("takes no holes in its arguments", async (t) => {
    const { ask } = exec(t, "", { grant: { args: ["-e", { arg: "code" }] } });
    await assert.rejects(ask("ask", "p", 1), code("INVALID", /holes/));
  });
});
