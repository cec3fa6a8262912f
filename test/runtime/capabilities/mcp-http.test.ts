/** `mcp` against real servers over HTTP: how they are greeted and asked, what a hostile one may do, and where nothing may lead. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { mcpCapability } from "../../../runtime/capabilities/mcp.ts";
import { direct, type DirectCalls } from "../../support/capability-call.ts";
import { mcpWith, textOf } from "../../support/mcp.ts";
import { mcpWeb, type McpWeb } from "../../support/mcp-web.ts";
import { until } from "../../sandbox/support.ts";
import { rawServer, webServer } from "../../support/web-server.ts";

const code = (name: string, message = /./) => ({ name: "RuntimeError", code: `RUNTIME_CAPABILITY_${name}`, message });
const TOOLS = { allow: "echo stream broken hang long html away wants empty".split(" ") };

interface Met {
  readonly web: McpWeb;
  readonly mcp: DirectCalls;
}

async function meet(
  t: TestContext,
  { elsewhere, more = {} }: { readonly elsewhere?: string; readonly more?: object } = {},
): Promise<Met> {
  const web = await mcpWeb(t, elsewhere);
  const secretHeaders = { authorization: { env: "TOKEN", prefix: "Bearer " } };
  const server = { url: web.url, privateAddresses: true, secretHeaders, tools: TOOLS, ...more };
  const mcp = mcpWith(server, { env: { TOKEN: "s3cret-token" } });
  t.after(() => mcp.end());
  return { web, mcp };
}

/** What the server was asked, in a word each. */
const asked = ({ asked: all }: McpWeb): readonly string[] => {
  return all.map(({ method, body }) => (body === "" ? method : (JSON.parse(body) as { method: string }).method));
};

describe("a server over HTTP", () => {
  it("is greeted once, asked, told of the end, and no connection is left", async (t) => {
    const { web, mcp } = await meet(t);
    assert.equal(((await mcp.ask("tools", "s")) as readonly unknown[]).length, TOOLS.allow.length);
    assert.equal(textOf(await mcp.ask("call", "s", "echo", { a: 1 })), '{"a":1} Bearer ***');
    await mcp.ask("call", "s", "echo");
    await mcp.end();
    const greeting = ["server/discover", "initialize", "notifications/initialized"];
    assert.deepEqual(asked(web), [...greeting, "tools/list", "tools/call", "tools/call", "DELETE"]);
    const { headers } = web.asked.at(-2)!;
    assert.deepEqual(
      [headers["mcp-session-id"], headers["mcp-protocol-version"], headers.authorization],
      ["s1", "2025-06-18", "Bearer s3cret-token"],
    );
    await web.empty();
  });

  it("may answer with a stream; what else it says there is refused, and the connection ends with the answer", async (t) => {
    const { web, mcp } = await meet(t);
    assert.equal(textOf(await mcp.ask("call", "s", "stream")), "streamed");
    await until(() => web.asked.some(({ body }) => body.includes('"id":"q"')));
    assert.match(web.asked.at(-1)!.body, /"code":-32601/);
    await web.empty();
    assert.deepEqual(
      mcp.notes.filter((note) => note.includes("refused")),
      ["s: it asked for roots/list: refused"],
    );
  });

  it("that has forgotten the session is greeted again, and asked again", async (t) => {
    const { web, mcp } = await meet(t);
    await mcp.ask("call", "s", "echo");
    web.forget();
    assert.match(textOf(await mcp.ask("call", "s", "echo", { b: 2 })), /"b":2/);
    assert.equal(asked(web).filter((method) => method === "initialize").length, 2);
  });

  it("that forgets the session during a call is asked anew for what it refused, and never twice for the other", async (t) => {
    const { web, mcp } = await meet(t);
    await mcp.ask("call", "s", "echo");
    const running = assert.rejects(
      mcp.ask("call", "s", "hang"),
      code("OUTCOME_UNKNOWN", /its session was ended: it may/),
    );
    const isHang = ({ body }: { readonly body: string }): boolean => body.includes('"hang"');
    await until(() => web.asked.some(isHang));
    web.forget();
    assert.match(textOf(await mcp.ask("call", "s", "echo", { b: 2 })), /"b":2/);
    await running;
    assert.equal(web.asked.filter(isHang).length, 1);
  });
});

describe("a hostile server over HTTP", () => {
  const cases: readonly (readonly [string, string, ReturnType<typeof code>])[] = [
    ["whose answer breaks off", "broken", code("OUTCOME_UNKNOWN", /it may have done/)],
    ["whose answer is too long", "long", code("TOO_LARGE", /longer than 2097152 bytes/)],
    ["that answers with a page", "html", code("FAILED", /no MCP/)],
    ["that answers with nothing of the protocol", "empty", code("FAILED", /no MCP/)],
    ["that wants a login", "wants", code("UNAVAILABLE", /HTTP 401: the grant's secretHeaders/)],
  ];
  for (const [what, tool, error] of cases) {
    it(`${what} fails the call, and is asked again for the next`, async (t) => {
      const { web, mcp } = await meet(t);
      await assert.rejects(mcp.ask("call", "s", tool), error);
      assert.match(textOf(await mcp.ask("call", "s", "echo", {})), /^\{\}/);
      assert.equal(asked(web).filter((method) => method === "initialize").length, 1);
      await mcp.end();
      await web.empty();
    });
  }

  it("that leads to another origin is not followed: nothing is sent there", async (t) => {
    const other = await webServer(t, (_request, response) => response.end());
    const { mcp } = await meet(t, { elsewhere: `${other.origin}/` });
    await assert.rejects(mcp.ask("call", "s", "away"), code("UNAVAILABLE", /HTTP 307/));
    assert.equal(other.made(), 0);
  });

  it("that never answers keeps nobody beyond the time, and no connection", async (t) => {
    const { web, mcp } = await meet(t, { more: { timeoutMs: 150 } });
    await assert.rejects(mcp.ask("call", "s", "hang"), code("TIMEOUT", /no answer within 150 ms/));
    await mcp.end();
    await web.empty();
  });

  it("that speaks no HTTP, or is not there, is unavailable or fails", async (t) => {
    const raw = await rawServer(t, (socket) => socket.end("hello\r\n\r\n"));
    const server = { privateAddresses: true, tools: TOOLS };
    const odd = mcpWith({ ...server, url: `${raw.origin}/mcp` });
    await assert.rejects(odd.ask("tools", "s"), code("FAILED", /no HTTP/));
    const gone = mcpWith({ ...server, url: "http://127.0.0.1:1/mcp" });
    await assert.rejects(gone.ask("tools", "s"), code("UNAVAILABLE", /ECONNREFUSED/));
    await Promise.all([odd.end(), gone.end()]);
  });

  it("whose name has a private address is refused, and without its secret it is unavailable", async (t) => {
    const web = await mcpWeb(t);
    const { port } = new URL(web.url);
    const servers = { s: { url: `http://rebind.example:${port}/mcp`, tools: TOOLS } };
    const rebound = direct(mcpCapability({ resolve: async () => ["127.0.0.1"] }), { grant: { servers } });
    await assert.rejects(rebound.ask("tools", "s"), code("DENIED", /not public/));
    const secretHeaders = { authorization: { env: "NOT_SET" } };
    const bare = mcpWith({ url: web.url, privateAddresses: true, secretHeaders, tools: TOOLS });
    await assert.rejects(bare.ask("tools", "s"), code("UNAVAILABLE", /NOT_SET/));
    assert.equal(web.made(), 0);
    await Promise.all([rebound.end(), bare.end()]);
  });
});
