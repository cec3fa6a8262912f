/** `mcp` as agents use it: granted by their spec, out of their own code, ended with their lives. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { withRuntime } from "../../../runtime/testing.ts";
import { until } from "../../sandbox/support.ts";
import { codeOf } from "../../support/agents.ts";
import { hostAgent, type Refused } from "../../support/host-agent.ts";
import { withoutJobs } from "../../support/jobs.ts";
import { programServer, textOf } from "../../support/mcp.ts";
import { processesWith } from "../../support/processes.ts";

const skip = await withoutJobs();

describe("mcp, for an agent", { skip }, () => {
  it("is granted server by server and tool by tool; each life has a server of its own, which ends with it", async (t) => {
    const word = `mcp${randomBytes(8).toString("hex")}`;
    const runtime = await withRuntime(t, {});
    const servers = { s: programServer("good", { tools: { allow: ["count", "parts", "silent"] } }, word) };
    const agent = await runtime.spawn(hostAgent({ mcp: { servers } }));
    const other = await runtime.spawn(hostAgent({ mcp: { servers } }, "b"));
    assert.deepEqual(
      ((await agent.call("call", ["mcp", "tools", "s"])) as { name: string }[]).map(({ name }) => name),
      ["parts", "silent", "count"],
    );
    const counted = async (of: typeof agent): Promise<string> => textOf(await of.call("itself", ["mcp", "s", "count"]));
    assert.deepEqual([await counted(agent), await counted(agent), await counted(other)], ["1", "2", "1"]);
    const { content } = (await agent.call("itself", ["mcp", "s", "parts"])) as { content: { bytes?: Uint8Array }[] };
    assert.deepEqual(content[1]?.bytes, new Uint8Array([1, 2, 3]));
    const refused = (await agent.call("try", ["mcp", "tools", "x"])) as Refused;
    assert.equal(refused.code, "RUNTIME_CAPABILITY_DENIED");

    const before = processesWith(word);
    const hanging = agent.call("itself", ["mcp", "s", "silent"]);
    hanging.catch(() => undefined);
    await agent.kill();
    await assert.rejects(hanging);
    await until(() => processesWith(word).length < before.length);
    assert.deepEqual([await counted(agent), await counted(other)], ["1", "2"]);
    await runtime.close();
    assert.deepEqual(processesWith(word), []);
  });

  it("is refused at the door where the grant is none", async (t) => {
    const runtime = await withRuntime(t, {});
    const bad = { mcp: { servers: { s: { url: "https://mcp.example.com/" } } } };
    assert.equal(await codeOf(runtime.spawn(hostAgent(bad as never))), "RUNTIME_OPTIONS_INVALID");
  });
});
