/** Capabilities as agents use them: granted by name, called through `ctx.host`, answered once. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { defineCapability } from "../../../runtime/index.ts";
import type { SpawnOptions } from "../../../runtime/index.ts";
import { withRuntime } from "../../../runtime/testing.ts";
import { codeOf } from "../../support/agents.ts";

const weather = defineCapability({
  name: "weather",
  grant: z.strictObject({ cities: z.array(z.string()) }),
  verbs: {
    forecast: {
      args: z.tuple([z.string()]),
      run: async ({ grant, agent }, city) => ({
        city,
        sky: grant.cities.includes(city) ? "blue" : "unknown",
        for: agent,
      }),
    },
    days: {
      args: z.tuple([z.number()]),
      async *run(_call, count) {
        for (let day = 1; day <= count; day++) yield { day };
      },
    },
  },
});
const double = defineCapability({
  name: "double",
  grant: z.strictObject({}),
  verbs: { call: { args: z.tuple([z.number()]), run: async (_call, number) => 2 * number } },
});

const USER = `
import { agent } from "planaria/agent";
const throws = (act) => { try { act(); } catch { return true; } return false; };
export default agent({
  version: 1,
  state: () => ({}),
  on: {
    call: (ctx, [name, verb, ...args]) => ctx.host[name][verb](...args),
    itself: (ctx, [name, ...args]) => ctx.host[name](...args),
    async parts(ctx, [name, verb, ...args]) {
      const parts = [];
      for await (const part of ctx.host[name][verb](...args)) parts.push(part);
      return parts;
    },
    reads: { reads: true, handle: (ctx) => ctx.host.weather.forecast("Bern") },
    shape: async (ctx) => {
      const host = await ctx.host;
      return { same: host === ctx.host, closed: [() => { host.x = 1; }, () => { delete host.double; }, () => Object.defineProperty(host, "x", { value: 1 }), () => Object.setPrototypeOf(host, {})].every(throws), keys: Object.keys(host), text: String(host), json: JSON.stringify(host), has: "nope" in host };
    },
  },
});
`;
const user = (host?: SpawnOptions["host"]): SpawnOptions => ({ id: "a", source: USER, host });

describe("a capability that was granted", () => {
  it("answers a value, parts, and as a function", async (t) => {
    const runtime = await withRuntime(t, { capabilities: [weather, double] });
    const agent = await runtime.spawn(user({ weather: { cities: ["Bern"] }, double: {} }));
    assert.deepEqual(await agent.call("call", ["weather", "forecast", "Bern"]), {
      city: "Bern",
      sky: "blue",
      for: "a",
    });
    assert.equal(await agent.call("itself", ["double", 21]), 42);
    assert.equal(await agent.call("call", ["double", "call", 21]), 42);
    assert.deepEqual(await agent.call("parts", ["weather", "days", 3]), [{ day: 1 }, { day: 2 }, { day: 3 }]);
    assert.deepEqual(await agent.call("shape"), {
      same: true,
      closed: true,
      keys: ["weather", "double"],
      text: "ctx.host (weather, double)",
      json: '{"weather":{}}',
      has: false,
    });
    assert.match(await codeOf(agent.call("parts", ["weather", "forecast", "Bern"])), /RUNTIME_HANDLER_THREW/);
  });
});
