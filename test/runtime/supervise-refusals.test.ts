/**
 * Supervisors that make no sense are refused at the door with the offending value, before anything is started; and names
 * that are taken or unknown have their codes.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RuntimeError } from "../../runtime/index.ts";
import type { SupervisorSpec } from "../../runtime/index.ts";
import { AGENT_LIMITS } from "../../runtime/limit-options.ts";
import { parseChildSpec, parseSupervisorSpec, parseUpgrade } from "../../runtime/supervise-spec.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { COUNTER, codeOf } from "../support/agents.ts";

const defaults = { durability: "memory", limits: AGENT_LIMITS } as const;
const a = { id: "a", source: "x" };

/** The refusal's words and the value it names. */
function refusalOf(input: unknown): readonly [text: string, value: unknown] {
  try {
    parseSupervisorSpec(input, defaults);
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    assert.equal(error.code, "RUNTIME_OPTIONS_INVALID");
    const [issue] = error.details["issues"] as readonly { readonly value?: unknown }[]; // put there by the door
    return [error.message, issue?.value];
  }
  assert.fail("it should have been refused");
}

function selfContaining(): unknown {
  const spec: { id: string; children: unknown[] } = { id: "s", children: [] };
  spec.children.push({ id: "below", children: [spec] });
  return spec;
}

const nonsense: readonly (readonly [what: string, input: unknown, words: RegExp, value: unknown])[] = [
  ["no object", "shop", /a spec must be an object/, "shop"],
  ["no id", { children: [] }, /an id is one name/, undefined],
  ["a path for an id", { id: "a/b", children: [] }, /an id is one name/, "a/b"],
  ["two children of one id", { id: "s", children: [a, a] }, /two children have one id/, "a"],
  ["a negative intensity", { id: "s", intensity: -1 }, /intensity is a whole number/, -1],
  ["a fraction of an intensity", { id: "s", intensity: 1.5 }, /intensity is a whole number/, 1.5],
  ["a period of 0", { id: "s", periodMs: 0 }, /periodMs is a whole number .* above 0/, 0],
  ["a period that fits no timer", { id: "s", periodMs: 2 ** 31 }, /periodMs is at most/, 2 ** 31],
  ["an unknown strategy", { id: "s", strategy: "one_for_some" }, /strategy is one_for_one/, "one_for_some"],
  ["OTP's older word for dynamic", { id: "s", strategy: "simple_one_for_one" }, /"dynamic"/, "simple_one_for_one"],
  ["an unknown automatic shutdown", { id: "s", autoShutdown: "always" }, /autoShutdown is never/, "always"],
  [
    "a significant permanent child",
    { id: "s", autoShutdown: "any_significant", children: [{ ...a, significant: true }] },
    /s\/a: a significant child needs/,
    { restart: "permanent", significant: true },
  ],
  [
    "a significant child of a supervisor that never ends by itself",
    { id: "s", children: [{ ...a, significant: true, restart: "transient" }] },
    /s\/a: a significant child needs/,
    { auto_shutdown: "never", significant: true },
  ],
  [
    "an unknown restart type",
    { id: "s", children: [{ ...a, restart: "often" }] },
    /s\/a: restart is permanent/,
    "often",
  ],
  ["a negative shutdown time", { id: "s", children: [{ ...a, shutdownMs: -1 }] }, /s\/a: shutdownMs/, -1],
  ["a shutdown time that fits no timer", { id: "s", children: [{ ...a, shutdownMs: 2 ** 31 }] }, /at most/, 2 ** 31],
  [
    "a child that is nothing",
    { id: "s", children: [{ id: "a" }] },
    /s\/a: a child is an agent .* or a supervisor/,
    "a",
  ],
  ["a child that is both", { id: "s", children: [{ ...a, children: [] }] }, /s\/a: a child is an agent/, "a"],
  ["a child with an intensity", { id: "s", children: [{ ...a, intensity: 3 }] }, /its supervisor's to say/, 3],
  ["a misspelt key", { id: "s", childern: [a] }, /unknown key childern/, [a]],
  ["a misspelt key of a child", { id: "s", children: [{ ...a, restrat: "never" }] }, /s\/a: .*restrat/, undefined],
  [
    "a module that is no file",
    { id: "s", children: [{ id: "a", module: new URL("https://example.org/a.ts") }] },
    /s\/a: module: .*file:/,
    undefined,
  ],
  ["children that are no list", { id: "s", children: a }, /children must be a list/, a],
  ["maxChildren without dynamic", { id: "s", maxChildren: 3 }, /maxChildren is for dynamic/, 3],
  ["a negative maxChildren", { id: "s", strategy: "dynamic", maxChildren: -1 }, /maxChildren is a whole/, -1],
  ["a template without dynamic", { id: "s", template: {} }, /template is for dynamic/, {}],
  [
    "a misspelt key of a template",
    { id: "s", strategy: "dynamic", template: { restrat: "never" } },
    /s\/<template>: .*restrat/,
    undefined,
  ],
  [
    "an unknown restart type of a template",
    { id: "s", strategy: "dynamic", template: { source: "x", restart: "often" } },
    /s\/<template>: restart is permanent/,
    "often",
  ],
  [
    "a template that is a supervisor",
    { id: "s", strategy: "dynamic", template: { children: [] } },
    /is an agent/,
    "template",
  ],
  ["a dynamic one with children", { id: "s", strategy: "dynamic", children: [a] }, /begins without children/, 1],
  [
    "a dynamic one that ends by itself",
    { id: "s", strategy: "dynamic", autoShutdown: "any_significant" },
    /no significant/,
    "any_significant",
  ],
  ["a restart type at the top", { id: "s", restart: "temporary" }, /for the children of a supervisor/, "temporary"],
  ["a supervisor that contains itself", selfContaining(), /s\/below\/s: a supervisor cannot contain itself/, "s"],
  [
    "a path that is too long",
    { id: "s".repeat(120), children: [{ id: "c".repeat(120), source: "x" }] },
    /a path is at most 200/,
    `${"s".repeat(120)}/${"c".repeat(120)}`,
  ],
];

describe("a supervisor's spec is refused for", () => {
  for (const [what, input, words, value] of nonsense) {
    it(what, () => {
      const [text, given] = refusalOf(input);
      assert.match(text, words);
      assert.deepEqual(given, value);
    });
  }

  it("a child that cannot be under a running supervisor, and an upgrade that is another supervisor", () => {
    const plan = parseSupervisorSpec({ id: "s" }, defaults);
    assert.throws(() => parseChildSpec({ ...a, significant: true }, plan, defaults), {
      code: "RUNTIME_OPTIONS_INVALID",
    });
    assert.throws(() => parseUpgrade({ id: "t" }, "s", defaults), /cannot change the id/);
  });
});

describe("a good spec", () => {
  it("has OTP's defaults, and its agents are planned under their paths", () => {
    const spec: SupervisorSpec = { id: "s", children: [a, { id: "pool", strategy: "dynamic" }] };
    const plan = parseSupervisorSpec(spec, defaults);
    assert.deepEqual(plan.definition.flags, {
      strategy: "one_for_one",
      intensity: 1,
      periodMs: 5_000,
      autoShutdown: "never",
      maxChildren: "infinity",
    });
    const [agent, pool] = plan.definition.children;
    assert.deepEqual([agent?.shutdown, agent?.restart, agent?.type], [5_000, "permanent", "worker"]);
    assert.deepEqual([pool?.shutdown, pool?.type], ["infinity", "supervisor"]);
    const start = agent?.start as { readonly options: { readonly id: string; readonly supervisor: string } }; // an agent's plan
    assert.deepEqual([start.options.id, start.options.supervisor], ["s/a", "s"]);
  });
});

describe("names", () => {
  it("that are taken or unknown are refused with their codes", async (t) => {
    const runtime = await withRuntime(t);
    await runtime.spawn({ id: "agent", source: COUNTER });
    const shop = await runtime.supervise({ id: "shop", children: [{ id: "a", source: COUNTER }] });
    assert.equal(await codeOf(runtime.supervise({ id: "shop" })), "RUNTIME_SUPERVISOR_EXISTS");
    assert.equal(await codeOf(runtime.supervise({ id: "agent" })), "RUNTIME_AGENT_EXISTS");
    assert.equal(await codeOf(runtime.spawn({ id: "shop", source: COUNTER })), "RUNTIME_AGENT_EXISTS");
    await assert.rejects(runtime.spawn({ id: "shop/b", source: COUNTER }), /what is called a\/b is started by a/);
    await assert.rejects(runtime.ref("shop").call("read"), /it is a supervisor, its agents are called shop\/<id>/);
    assert.equal(await codeOf(runtime.supervisor("nobody").whichChildren()), "RUNTIME_SUPERVISOR_UNKNOWN");
    assert.equal(await codeOf(runtime.supervisor("shop/a").stop()), "RUNTIME_SUPERVISOR_UNKNOWN");
    await shop.stop();
    assert.equal(await codeOf(shop.terminateChild("a")), "RUNTIME_SUPERVISOR_DOWN");
    assert.equal(await codeOf(shop.upgrade({ id: "shop" })), "RUNTIME_SUPERVISOR_DOWN");
  });
});
