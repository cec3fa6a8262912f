/** Agents that use `fetch` and `llm`, from their own code in an isolate to servers on this machine and back. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { AgentRef, Runtime, SpawnOptions } from "../../../runtime/index.ts";
import { withRuntime } from "../../../runtime/testing.ts";
import { codeOf } from "../../support/agents.ts";
import { STREAM_END, chatServer, delta, say, stream } from "../../support/chat-server.ts";
import { recordingServer, webServer } from "../../support/web-server.ts";
import type researcher from "../../fixtures/agents/researcher.agent.ts";

const module = new URL("../../fixtures/agents/researcher.agent.ts", import.meta.url);
const SECRET = "s3cr3t-of-the-guardian";
const VARIABLE = "PLANARIA_TEST_RESEARCHER_KEY";

async function spawned(
  t: TestContext,
  host: SpawnOptions["host"],
): Promise<{ readonly runtime: Runtime; readonly agent: AgentRef<typeof researcher> }> {
  process.env[VARIABLE] = SECRET;
  const runtime = await withRuntime(t);
  const agent = await runtime.spawn<typeof researcher>({ id: "r", module, host, limits: { wallMs: 5_000 } });
  return { runtime, agent };
}

describe("an agent that was granted fetch", () => {
  it("reads JSON, text and bytes, and never sees the key that is sent for it", async (t) => {
    const server = await recordingServer(t, ({ url, headers }, response) => {
      if (url === "/json")
        response.end(JSON.stringify({ from: headers["x-from"], key: headers.authorization, __proto__: 1 }));
      else if (url === "/bytes") response.end(Buffer.from([0, 255, 128]));
      else response.end(`${url} ${String(headers.authorization)}`);
    });
    const { agent } = await spawned(t, {
      fetch: {
        allow: [server.origin],
        privateAddresses: true,
        methods: ["GET", "POST"],
        secretHeaders: { authorization: { env: VARIABLE, prefix: "Bearer " } },
      },
    });
    assert.deepEqual(await agent.call("json", `${server.origin}/json`), {
      status: 200,
      json: { from: "r", key: "Bearer ***" },
    });
    assert.equal(await agent.call("text", `${server.origin}/text`), "/text Bearer ***");
    assert.deepEqual(await agent.call("bytes", `${server.origin}/bytes`), [0, 255, 128]);
    assert.equal(await agent.call("post", { url: `${server.origin}/post`, body: { a: [1] } }), "/post Bearer ***");
    assert.equal(server.asked[0]?.headers.authorization, `Bearer ${SECRET}`);
    assert.equal(server.asked[3]?.body, '{"a":[1]}');
    assert.match(String(server.asked[3].headers["idempotency-key"]), /^[\w-]{1,64}$/);
  });

  it("is refused everything else, with a code and no word about what is there", async (t) => {
    const inside = await webServer(t, (_request, response) => response.end("inside"));
    const server = await webServer(t, (_request, response) =>
      response.writeHead(302, { location: inside.origin }).end(),
    );
    const { agent, runtime } = await spawned(t, { fetch: { allow: [server.origin], privateAddresses: true } });
    for (const url of [inside.origin, server.origin, "http://169.254.169.254/", "file:///etc/passwd"]) {
      assert.match(await agent.call("refused", url), /^RUNTIME_CAPABILITY_DENIED: Refused: /);
    }
    assert.match(await agent.call("refused", "nowhere"), /^RUNTIME_CAPABILITY_INVALID: /);
    assert.equal(inside.made(), 0);
    const other = await runtime.spawn<typeof researcher>({ id: "other", module });
    assert.match(await other.call("refused", server.origin), /^RUNTIME_CAPABILITY_DENIED: /);
  });

  it("leaves no connection behind: not when it stops reading, not when it is killed", async (t) => {
    const server = await webServer(t, ({ url }, response) => {
      if (url === "/endless") response.write("a beginning");
    });
    const { agent } = await spawned(t, { fetch: { allow: [server.origin], privateAddresses: true } });
    assert.equal(await agent.call("first", `${server.origin}/endless`), "a beginning");
    await server.empty();
    const waiting = codeOf(agent.call("text", `${server.origin}/never`));
    while (server.made() < 2) await new Promise((resolve) => void setImmediate(resolve));
    await agent.kill();
    assert.equal(await waiting, "RUNTIME_AGENT_DOWN");
    await server.empty();
  });

  it("needs a grant that says something", async (t) => {
    const runtime = await withRuntime(t);
    for (const fetch of [{}, { allow: ["http://127.0.0.1"] }, { allow: ["https://a.example"], alow: [] }]) {
      assert.equal(
        await codeOf(runtime.spawn({ id: "r", module, host: { fetch: fetch as never } })),
        "RUNTIME_OPTIONS_INVALID",
      );
    }
  });
});

describe("an agent that was granted llm", () => {
  it("asks, and hears the answer whole, in parts, or as much of it as it wants", async (t) => {
    const server = await chatServer(t, (response, { body }) => {
      if (body["stream"] !== true) return say(response, "hello");
      stream(response).write(delta({ content: "one " }));
      if (JSON.stringify(body["messages"]).includes("endless")) return;
      setImmediate(() => response.end(delta({ content: "two " }) + delta({ content: "three" }, "stop") + STREAM_END));
    });
    const { agent } = await spawned(t, {
      llm: { endpoint: server.endpoint, models: ["m-1"], key: { env: VARIABLE }, privateAddresses: true },
    });
    assert.deepEqual(await agent.call("ask", "hi"), { text: "hello", tokens: 5 });
    assert.equal(await agent.call("listen", "hi"), "one two three(stop)");
    assert.equal(await agent.call("overhear", "endless"), "one ");
    await server.empty();
    assert.equal(server.asked[0]?.headers.authorization, `Bearer ${SECRET}`);
  });

  it("hears recorded answers where there is no endpoint", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "planaria-answers-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const server = await chatServer(t);
    const grant = { endpoint: server.endpoint, models: ["m-1"], privateAddresses: true };
    const file = join(folder, "answers.jsonl");
    const { runtime } = await spawned(t, {});
    const recorder = await runtime.spawn<typeof researcher>({
      id: "w",
      module,
      host: { llm: { ...grant, answers: { file, mode: "record" } } },
    });
    const player = await runtime.spawn<typeof researcher>({
      id: "p",
      module,
      host: { llm: { ...grant, endpoint: "https://gone.example", answers: { file, mode: "replay" } } },
    });
    const answer = await recorder.call("ask", "hi");
    assert.deepEqual(await player.call("ask", "hi"), answer);
    assert.equal(server.asked.length, 1);
    await assert.rejects(
      player.call("ask", "something else"),
      /No answer is recorded for this request \([0-9a-f]{64}\)/,
    );
  });
});
