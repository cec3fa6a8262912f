/** What `mcp` decides without a server: which grants are none, what a digest covers, what a failure is called, what is missing. */
import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { describe, it } from "node:test";
import { RuntimeError } from "../../../runtime/errors.ts";
import { answerOf } from "../../../runtime/capabilities/mcp-content.ts";
import { failureOfMcp, type McpFailure } from "../../../runtime/capabilities/mcp-failure.ts";
import { mcpGrant } from "../../../runtime/capabilities/mcp-grant.ts";
import type { McpToolDefinition } from "../../../runtime/capabilities/mcp-package.ts";
import { BROKEN_OFF } from "../../../runtime/capabilities/mcp-screen.ts";
import { digestOf, infoOf, listed, pinFault } from "../../../runtime/capabilities/mcp-tools.ts";
import { faults } from "../../support/capability-call.ts";
import { mcpWith } from "../../support/mcp.ts";

const TOOL: McpToolDefinition = {
  name: "a",
  description: "b",
  inputSchema: { type: "object", properties: { c: {}, d: {} } },
};
const DIGEST = `sha256:${"0".repeat(64)}`;

describe("a grant of mcp", () => {
  const tools = { allow: ["a"] };
  const program = { file: "/usr/bin/env" };
  const url = "https://mcp.example.com/mcp?x=1";
  const right: readonly object[] = [
    { program, tools },
    { program: { ...program, args: ["-S", "x"], read: ["/srv"] }, tools: { a: {}, allow: { digest: DIGEST } } },
    { url, tools, timeoutMs: 5 },
    { url, tools, headers: { "x-a": "b" }, secretHeaders: { authorization: { env: "TOKEN" } } },
    {
      url: "http://127.0.0.1:8080/",
      privateAddresses: true,
      tools: { a: { args: { type: "object", required: ["x"] } } },
    },
  ];
  for (const server of right) {
    it(`may be ${JSON.stringify(server)}`, () => assert.deepEqual(faults(mcpGrant, { servers: { s: server } }), []));
  }
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ tools }, /^servers\.s\.url: a program or a url is needed/],
    [{ program, url, tools }, /^servers\.s\.url: this server is a program/],
    [{ program, tools, secretHeaders: {} }, /^servers\.s\.secretHeaders: this server is a program/],
    [{ program: { file: "env" }, tools }, /^servers\.s\.program\.file: a full path is needed/],
    [{ url: "mcp", tools }, /^servers\.s\.url: it is no URL/],
    [{ url: "https://me:key@mcp.example.com/", tools }, /^servers\.s\.url: it carries a user/],
    [{ url: "http://localhost/mcp", tools }, /^servers\.s\.url: this is this machine/],
    [{ url: "ftp://mcp.example.com/", tools }, /^servers\.s\.url: only https/],
    [{ url, tools, headers: { Authorization: "Bearer k" } }, /^servers\.s\.headers\.Authorization: .*secretHeaders/],
    [{ url }, /^servers\.s\.tools: /],
    [{ url, tools: { allow: [] } }, /^servers\.s\.tools/],
    [{ url, tools: { a: { digest: "0123" } } }, /^servers\.s\.tools/],
    [{ url, tools: { a: { args: { type: "nothing" } } } }, /^servers\.s\.tools\.a\.args: it is no JSON schema/],
    [{ url, tools, tool: 1 }, /^servers\.s: /],
  ];
  for (const [server, message] of wrong) {
    it(`may not be ${JSON.stringify(server)}`, () =>
      assert.match(faults(mcpGrant, { servers: { s: server } }).join("\n"), message));
  }
});

describe("the digest of a tool", () => {
  it("is the same for the same definition in another order", () => {
    const other = {
      inputSchema: { properties: { d: {}, c: {} }, type: "object" as const },
      description: "b",
      name: "a",
    };
    assert.equal(digestOf(other), digestOf(TOOL));
  });

  it("is another one for every other word that an agent may see", () => {
    const changed: readonly Partial<McpToolDefinition>[] = [
      { name: "A" },
      { description: "b " },
      { title: "c" },
      { inputSchema: { type: "object", properties: { c: {}, d: { description: "x" } } } },
      { outputSchema: { type: "object" } },
      { annotations: { readOnlyHint: true } },
    ];
    const digests = [TOOL, ...changed.map((change) => ({ ...TOOL, ...change }))].map(digestOf);
    assert.equal(new Set(digests).size, digests.length);
  });

  it("is refused for a definition without an end", () => {
    const properties = JSON.parse('{"x":'.repeat(100) + "{}" + "}".repeat(100));
    assert.throws(() => answerOf({ content: [], structuredContent: properties }), { message: /nested deeper than 64/ });
    assert.throws(() => digestOf({ ...TOOL, inputSchema: { type: "object", properties } }), {
      code: "RUNTIME_CAPABILITY_FAILED",
    });
  });

  it("pins: the granted one counts, else the one that was seen first", () => {
    const [tool] = [...listed([TOOL, { ...TOOL, description: "a second a" }], new Map([["a", RULE]])).values()];
    assert.ok(tool !== undefined);
    const { digest } = tool;
    assert.equal(digest, digestOf(TOOL));
    assert.equal(pinFault(tool, { granted: digest, first: DIGEST }), undefined);
    assert.equal(pinFault(tool, { first: digest }), undefined);
    assert.match(pinFault(tool, { granted: DIGEST, first: digest }) ?? "", /not the one that was granted/);
    assert.match(pinFault(tool, { first: DIGEST }) ?? "", /changed its tool a/);
    assert.deepEqual([...listed([TOOL], new Map([["b", RULE]])).keys()], []);
  });
});

const RULE = { digest: undefined, args: undefined };

describe("what a server says", () => {
  it("brings no property __proto__ to an agent", () => {
    const value = JSON.parse('{"a":{"__proto__":{"x":1},"b":2}}');
    const definition = { ...TOOL, inputSchema: { type: "object" as const, properties: value } };
    assert.deepEqual(infoOf({ definition, digest: DIGEST }).schema, { type: "object", properties: { a: { b: 2 } } });
    const answer = answerOf({ content: [], structuredContent: value });
    assert.deepEqual(answer, { isError: false, content: [], structured: { a: { b: 2 } } });
  });
});

describe("a failure", () => {
  const gone = new RuntimeError("RUNTIME_CAPABILITY_OUTCOME_UNKNOWN", "s is gone");
  const late = AbortSignal.abort(new RuntimeError("RUNTIME_CAPABILITY_TIMEOUT", "late"));
  const own = new RuntimeError("RUNTIME_CAPABILITY_DENIED", "no");
  const base: McpFailure = {
    server: "s",
    error: new Error("x"),
    fault: undefined,
    signal: new AbortController().signal,
    gone: undefined,
  };
  const cases: readonly (readonly [string, Partial<McpFailure>, string, RegExp])[] = [
    ["an aborted signal before all", { signal: late, error: own, gone }, "TIMEOUT", /^late$/],
    [
      "an error of ours, however deep",
      { error: new Error("y", { cause: new Error("z", { cause: own }) }) },
      "DENIED",
      /^no$/,
    ],
    ["an end of the server", { fault: { kind: "closed" }, gone }, "OUTCOME_UNKNOWN", /^s is gone$/],
    ["a connection that is gone", { fault: { kind: "closed" } }, "OUTCOME_UNKNOWN", /may have done/],
    [
      "an answer that broke off",
      { fault: { kind: "refusal", code: BROKEN_OFF, message: "" } },
      "OUTCOME_UNKNOWN",
      /broke off/,
    ],
    ["a refusal of arguments", { fault: { kind: "refusal", code: -32602, message: "no a" } }, "INVALID", /^s: no a$/],
    ["another refusal", { fault: { kind: "refusal", code: -32000, message: "no b" } }, "FAILED", /^s: no b$/],
    ["a wish", { fault: { kind: "input" } }, "FAILED", /wants something of a user/],
    ["a status", { fault: { kind: "status", status: 503 } }, "UNAVAILABLE", /^s answered with HTTP 503$/],
    ["a forbidden status", { fault: { kind: "status", status: 403 } }, "UNAVAILABLE", /secretHeaders/],
    ["nonsense", { fault: { kind: "nonsense" } }, "FAILED", /no MCP/],
    ["nonsense of one that is gone", { fault: { kind: "nonsense" }, gone }, "OUTCOME_UNKNOWN", /gone/],
    ["anything else", {}, "FAILED", /no MCP/],
  ];
  for (const [what, given, name, message] of cases) {
    it(`is told by its code: ${what}`, () => {
      const failure = failureOfMcp({ ...base, ...given });
      assert.equal(failure.code, `RUNTIME_CAPABILITY_${name}`);
      assert.match(failure.message, message);
    });
  }
});

describe("the client's package", () => {
  it("is asked for by name where it is not installed", async () => {
    const hooks = registerHooks({
      resolve: (specifier, context, next) => {
        return next(specifier === "@modelcontextprotocol/client" ? "not-installed-here" : specifier, context);
      },
    });
    const { ask, end } = mcpWith({ program: { file: "/bin/false" }, tools: { allow: ["a"] } });
    const message = /npm install @modelcontextprotocol\/client/;
    await assert.rejects(ask("tools", "s"), { code: "RUNTIME_CAPABILITY_UNAVAILABLE", message });
    hooks.deregister();
    await end();
  });
});
