/**
 * Equal words in different steps are different questions, also when one of the steps is given its record and asks nothing:
 * no effect is left out, and none happens twice.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import type { AgentRef, Runtime } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { codeOf, eventOf } from "../support/agents.ts";

const BANK = `export default { version: 1, state: () => ({ sum: 0 }), on: {
  charge: (ctx, cents) => (ctx.state.sum += cents),
  sum: (ctx) => ctx.state.sum,
} }`;

/** Each way charges the same amount in several steps, and stops for what the test provides on the way. */
const SHOP = `
const charge = (ctx) => ctx.call("bank", "charge", 10);
const later = async (ctx) => { await ctx.call("bank", "sum"); return charge(ctx); };
const hold = (ctx) => ctx.step("hold", () => ctx.propose(""));
export default { version: 1, state: () => ({}), on: {
  async atOnce(ctx) { return [await ctx.step("a", () => charge(ctx)), await hold(ctx), await ctx.step("b", () => charge(ctx))]; },
  async later(ctx) { return [await ctx.step("a", () => later(ctx)), await hold(ctx), await ctx.step("b", () => later(ctx))]; },
  async outside(ctx) { return [await ctx.step("a", () => charge(ctx)), await hold(ctx), await charge(ctx)]; },
  async again(ctx) { return [await ctx.step("a", () => charge(ctx)), await hold(ctx), await ctx.step("a", () => charge(ctx))]; },
  async together(ctx) {
    const both = await Promise.all(["a", "b"].map((name) => ctx.step(name, () => charge(ctx))));
    await hold(ctx);
    return [...both, ...(await Promise.all(["c", "d"].map((name) => ctx.step(name, () => charge(ctx)))))];
  },
} }`;

const WAYS: readonly (readonly [what: string, method: string, sum: number])[] = [
  ["asked at once", "atOnce", 20],
  ["asked after a wait", "later", 20],
  ["in a step and outside of steps", "outside", 20],
  ["in two uses of one name", "again", 20],
  ["in steps that are begun together", "together", 40],
];

async function shop(
  t: TestContext,
  held: (shop: AgentRef, times: number, runtime: Runtime) => Promise<string>,
): Promise<{ readonly bank: AgentRef; readonly shop: AgentRef }> {
  const runtime = await withRuntime(t, { cells: 2, agentsPerCell: 1 });
  const bank = await runtime.spawn({ id: "bank", source: BANK });
  const ref = await runtime.spawn({ id: "shop", source: SHOP });
  let times = 0;
  runtime.provide("propose", () => held(ref, ++times, runtime));
  return { bank, shop: ref };
}

describe("equal words", () => {
  for (const [what, method, sum] of WAYS) {
    it(`${what} are as many effects when the cell is killed between them`, async (t) => {
      const { bank, shop: agent } = await shop(t, async (ref, times, runtime) => {
        if (times > 1) return '"go on"';
        const { cellPid = 0 } = await ref.info();
        // Answered when the next life is there: nobody is inside the guest as the cell dies.
        const back = eventOf(runtime, (event) => event.type === "agent.restarted" && event.agent === "shop");
        process.kill(cellPid, "SIGKILL");
        await back;
        return '"go on"';
      });
      const reply = (await agent.call(method, undefined, { id: "order" })) as readonly unknown[];
      assert.equal(await bank.call("sum"), sum);
      assert.equal(new Set(reply).size, reply.length, `every charge has an answer of its own: ${reply.join(", ")}`);
    });

    it(`${what} are as many effects when the call is repeated with its id`, async (t) => {
      const { bank, shop: agent } = await shop(t, async (_ref, times) => {
        if (times === 1) throw new Error("not now");
        return '"go on"';
      });
      const call = (): Promise<unknown> => agent.call(method, undefined, { id: "order" });
      assert.equal(await codeOf(call()), "RUNTIME_HANDLER_THREW");
      const reply = (await call()) as readonly unknown[];
      assert.equal(await bank.call("sum"), sum);
      assert.equal(new Set(reply).size, reply.length, `every charge has an answer of its own: ${reply.join(", ")}`);
    });
  }
});
