/** `exec` as agents use it: granted by their spec, ended with their lives. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import type { ExecProgramGrant, SpawnOptions } from "../../../runtime/index.ts";
import { withRuntime } from "../../../runtime/testing.ts";
import { until } from "../../sandbox/support.ts";
import { codeOf } from "../../support/agents.ts";
import { withoutJobs } from "../../support/jobs.ts";
import { processesWith } from "../../support/processes.ts";

const skip = await withoutJobs();

const USER = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({}),
  on: {
    run: async (ctx, asked) => (await ctx.host.exec("p", asked)).stdout,
    ask: (ctx, q) => ctx.host.exec.ask("server", q),
    async lines(ctx) {
      const lines = [];
      for await (const line of ctx.host.exec.stream("lines")) if (lines.push(line) === 3) break;
      return lines;
    },
    hang: (ctx) => ctx.host.exec("hang"),
    fail: () => { throw new Error("on purpose"); },
  },
});
`;
const SERVER = `require("readline").createInterface({ input: process.stdin }).on("line", (line) => console.log(JSON.stringify({ was: JSON.parse(line) })))`;

/** Its programs all carry the word in their arguments. */
function user(word: string): SpawnOptions {
  const node = (source: string): ExecProgramGrant => ({
    file: process.execPath,
    args: ["-e", source, word],
  });
  const programs = {
    p: { file: process.execPath, args: ["-e", "process.stdin.pipe(process.stdout)"] },
    server: node(SERVER),
    lines: node("let i = 0; setInterval(() => console.log(i++), 1)"),
    hang: node("setInterval(() => {}, 1000)"),
  };
  return { id: "a", source: USER, host: { exec: { programs } }, shutdownMs: 100 };
}

describe("exec, for an agent", { skip }, () => {
  it("runs, streams and asks; what was not granted is refused", async (t) => {
    const word = `exec${randomBytes(8).toString("hex")}`;
    const runtime = await withRuntime(t, {});
    const agent = await runtime.spawn(user(word));
    assert.equal(await agent.call("run", { input: "hi" }), "hi");
    assert.deepEqual(await agent.call("lines"), ["0", "1", "2"]);
    assert.deepEqual(await agent.call("ask", 1), { was: 1 });
    assert.deepEqual(await agent.call("ask", [2]), { was: [2] });
    const other = await runtime.spawn({ id: "b", source: USER });
    assert.match(await codeOf(other.call("run")), /RUNTIME_CAPABILITY_DENIED|RUNTIME_HANDLER_THREW/);
    assert.equal(
      await codeOf(runtime.spawn({ id: "c", source: USER, host: { exec: {} as never } })),
      "RUNTIME_OPTIONS_INVALID",
    );
  });

  const ends = ["stop", "kill", "crash", "drop", "close"] as const;
  for (const end of ends) {
    it(`leaves no program when the agent ends by ${end}`, async (t) => {
      const word = `exec${randomBytes(8).toString("hex")}`;
      const runtime = await withRuntime(t, {});
      const agent = await runtime.spawn(user(word));
      await agent.call("ask", 1);
      const hung =
        end === "kill" || end === "close" ? codeOf(agent.call("hang", undefined, { timeoutMs: 60_000 })) : undefined;
      await until(() => processesWith(word).length > (hung === undefined ? 1 : 4));
      if (end === "stop") await agent.stop();
      if (end === "kill") await agent.kill();
      if (end === "crash") agent.cast("fail");
      if (end === "drop") await runtime.drop("a");
      if (end === "close") {
        await runtime.close();
        assert.deepEqual(processesWith(word), []); // Closing waits for them.
      }
      await hung;
      await until(() => processesWith(word).length === 0);
    });
  }
});
