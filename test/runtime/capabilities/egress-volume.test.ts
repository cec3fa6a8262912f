/** Who sent how much where: every request that left is noted for the operator, however it ended and whoever made it. */
import assert from "node:assert/strict";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { fetchCapability } from "../../../runtime/capabilities/fetch.ts";
import type { EgressOptions } from "../../../runtime/capabilities/egress.ts";
import { direct, type CallSetting, type DirectCalls } from "../../support/capability-call.ts";
import { asking, chatServer, delta, stream } from "../../support/chat-server.ts";
import { mcpWith } from "../../support/mcp.ts";
import { TLS_IDENTITY } from "../../support/tls-identity.ts";
import { listening, rawServer, webServer } from "../../support/web-server.ts";

const HEAD = "HTTP/1.1 200 OK\r\n";
const code = (expected: string) => ({ name: "RuntimeError", code: `RUNTIME_CAPABILITY_${expected}` });

interface Setting extends Omit<CallSetting, "grant"> {
  readonly egress?: EgressOptions;
}

function fetching(origin: string, { egress, ...setting }: Setting = {}): DirectCalls {
  const grant = { allow: [origin], methods: ["GET", "POST"], privateAddresses: true, responseBytesMax: 1 << 20 };
  return direct(fetchCapability(egress), { ...setting, grant });
}

/** A server that says what it likes, and what it was told by each connection. */
async function talking(t: TestContext, talk: (socket: Socket) => void) {
  const sockets: Socket[] = [];
  const server = await rawServer(t, (socket) => {
    sockets.push(socket);
    talk(socket);
  });
  return { ...server, asked: () => sockets.map(({ bytesRead }) => bytesRead) };
}

describe("a request is noted with all the bytes of its connection", () => {
  it("when it is answered", async (t) => {
    const answer = `${HEAD}content-length: 3\r\n\r\nabc`;
    const server = await talking(t, (socket) => socket.end(answer));
    const { ask, notes } = fetching(server.origin);
    await ask("call", `${server.origin}/a?b`, { method: "POST", body: "x".repeat(1_000) });
    await server.empty();
    const [sent = 0] = server.asked();
    assert.ok(sent > 1_000);
    assert.deepEqual(notes, [`POST ${server.origin}: 200, ${sent} bytes sent, ${answer.length} received`]);
  });

  const failing: readonly (readonly [string, (socket: Socket) => void, string, RegExp])[] = [
    ["before its answer", (socket) => socket.destroy(), "UNAVAILABLE", /: no answer, \d{2,} bytes sent, 0 received$/],
    [
      "in its answer",
      (socket) => socket.end(`${HEAD}content-length: 9\r\n\r\nabc`),
      "UNAVAILABLE",
      /: 200, \d{2,} bytes sent, 41 received$/,
    ],
    [
      "because the answer is too long",
      (socket) => socket.write(`${HEAD}\r\n${"x".repeat(2 << 20)}`),
      "TOO_LARGE",
      /: 200, \d{2,} bytes sent, \d{6,} received$/,
    ],
    [
      "because its head is refused",
      (socket) => socket.write(`${HEAD}${"a: 1\r\n".repeat(300)}\r\n`),
      "TOO_LARGE",
      /: 200, \d{2,} bytes sent, 1819 received$/,
    ],
  ];
  for (const [title, talk, expected, note] of failing) {
    it(`when it fails ${title}, read as a whole or in parts`, async (t) => {
      const server = await rawServer(t, talk);
      const { ask, whole, notes } = fetching(server.origin);
      await assert.rejects(ask("call", server.origin), code(expected));
      await assert.rejects(whole("stream", server.origin), code(expected));
      assert.equal(notes.length, 2);
      for (const one of notes) assert.match(one, note);
    });
  }

  it("when nobody was there", async () => {
    const { ask, notes } = fetching("http://127.0.0.1:1");
    await assert.rejects(ask("call", "http://127.0.0.1:1"), code("UNAVAILABLE"));
    assert.deepEqual(notes, ["GET http://127.0.0.1:1: no answer, 0 bytes sent, 0 received"]);
  });

  it("when it is called off", async (t) => {
    const control = new AbortController();
    const server = await rawServer(t, () => control.abort());
    const { ask, notes } = fetching(server.origin, { signal: control.signal });
    await assert.rejects(ask("call", server.origin), code("ABORTED"));
    await server.empty();
    assert.match(notes.join("\n"), /^GET \S+: no answer, \d{2,} bytes sent, 0 received$/);
  });

  it("when it leads on, each of its own", async (t) => {
    const server = await webServer(t, ({ url }, response) => {
      if (url === "/there") response.end("there");
      else response.writeHead(307, { location: "/there" }).end();
    });
    const { ask, notes } = fetching(server.origin);
    await ask("call", server.origin, { method: "POST", body: "x".repeat(1_000) });
    assert.equal(notes.length, 2);
    assert.match(notes[0] ?? "", /^POST \S+: 307, 1\d{3} bytes sent/);
    assert.match(notes[1] ?? "", /^POST \S+: 200, 1\d{3} bytes sent/);
  });

  it("when its answer is left, before its first part or after", async (t) => {
    const server = await rawServer(t, (socket) => socket.write(`${HEAD}\r\nabc`));
    const { parts, notes } = fetching(server.origin);
    for (const wanted of ["head", "text"]) {
      for await (const part of parts("stream", server.origin)) if (wanted in (part as object)) break;
    }
    assert.equal(notes.length, 2);
    for (const note of notes) assert.match(note, /^GET \S+: 200, \d{2,} bytes sent, 2\d received$/);
  });

  it("when it is encrypted", async (t) => {
    const server = createTlsServer(TLS_IDENTITY, (_request, response) => response.end("secure"));
    const origin = `https://localhost:${(await listening(t, server, "127.0.0.1")).port}`;
    const { ask, notes } = fetching(origin, { egress: { tls: { ca: TLS_IDENTITY.cert } } });
    await ask("call", origin);
    assert.match(notes.join("\n"), /^GET \S+: 200, \d{2,} bytes sent, \d{2,} received$/);
  });

  it("and not when it was refused before anything was sent", async (t) => {
    const server = await webServer(t, (_request, response) => response.end());
    const { ask, notes } = fetching(server.origin);
    await assert.rejects(ask("call", "https://example.com"), code("DENIED"));
    assert.deepEqual(notes, []);
  });
});

describe("a request is noted whoever makes it", () => {
  const messages = [{ role: "user", content: "x".repeat(1_000) }];
  const sentMuch = /^POST http:\S+: 200, 1\d{3} bytes sent, \d+ received$/;

  it("llm.chat, and llm.stream also where it is left", async (t) => {
    const server = await chatServer(t, (response) => void stream(response).write(delta({ content: "a" })));
    const { parts, notes } = asking(server);
    for await (const _part of parts("stream", { messages })) break;
    assert.equal(notes.length, 1);
    assert.match(notes[0] ?? "", sentMuch);
    const chat = asking(await chatServer(t));
    await chat.ask("chat", { messages });
    assert.match(chat.notes[0] ?? "", sentMuch);
  });

  it("mcp over HTTP", async (t) => {
    const server = await webServer(t, (_request, response) => response.end("no MCP"));
    const url = `${server.origin}/mcp`;
    const { ask, end, notes } = mcpWith({ url, privateAddresses: true, tools: { allow: ["echo"] } });
    await assert.rejects(ask("tools", "s"), code("FAILED"));
    await end();
    assert.match(notes[0] ?? "", /POST http:\S+: 200, \d{3,} bytes sent, \d+ received$/);
  });
});
