/** `mcp` with servers that are written with the protocol's own library, in both of its ages, over both ways. */
import assert from "node:assert/strict";
import { buffer } from "node:stream/consumers";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createMcpHandler } from "@modelcontextprotocol/server";
import { adder } from "../../fixtures/mcp-real-server.ts";
import { withoutJobs } from "../../support/jobs.ts";
import { mcpWith } from "../../support/mcp.ts";
import { webServer } from "../../support/web-server.ts";

const skip = await withoutJobs();
const root = join(import.meta.dirname, "../../..");
const tools = { allow: ["add"] };

/** Asks for everything that such a server has. */
async function meet(server: Readonly<Record<string, unknown>>): Promise<string> {
  const { ask, end } = mcpWith(server);
  const [{ digest, name }] = (await ask("tools", "s")) as [{ readonly digest: string; readonly name: string }];
  assert.equal(name, "add");
  const answer = await ask("call", "s", "add", { a: 1, b: 2 });
  assert.deepEqual(answer, { isError: false, content: [{ type: "text", text: "3" }], structured: { sum: 3 } });
  const { isError } = (await ask("call", "s", "add", { a: "x" })) as { readonly isError: boolean };
  assert.equal(isError, true);
  await end();
  return digest;
}

describe("a server by the protocol's own library", () => {
  it("answers over standard input and output, before 2026 and since, with one digest", { skip }, async () => {
    const program = (age: string) => ({
      file: process.execPath,
      args: [join(root, "test/fixtures/mcp-real-server.ts"), age],
      read: [join(root, "test/fixtures"), join(root, "node_modules")],
    });
    const [before, since] = await Promise.all(["legacy", "both"].map((age) => meet({ program: program(age), tools })));
    assert.equal(before, since);
  });

  it("answers over HTTP", async (t) => {
    const handler = createMcpHandler(adder);
    const web = await webServer(t, async (request, response) => {
      const { method = "GET", url = "/" } = request;
      const body = await buffer(request);
      const headers = Object.entries(request.headers).map(([name, value]): [string, string] => [name, String(value)]);
      const init = { method, headers, ...(body.byteLength === 0 ? {} : { body }) };
      const answer = await handler.fetch(new Request(new URL(url, "http://127.0.0.1"), init));
      response
        .writeHead(answer.status, Object.fromEntries(answer.headers))
        .end(Buffer.from(await answer.arrayBuffer()));
    });
    await meet({ url: `${web.origin}/mcp`, privateAddresses: true, tools });
  });
});
