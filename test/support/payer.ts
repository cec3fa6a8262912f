/**
 * An agent whose effects lie outside: it asks a provider for each payment, within durable steps. The provider is what
 * `ctx.propose` reaches, given by the test with `runtime.provide`; it sees `<key> <what>`.
 */

/** Pays twice, then books at another agent. */
export const PAYER = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ paid: 0, last: [] as unknown[] }),
  on: {
    async pay(ctx, seal?: string) {
      const first = await ctx.step("charge", (key) => ctx.propose(key + " charge"));
      const second = await ctx.step("ship", (key) => ctx.propose(key + " ship"));
      const third = seal === undefined ? undefined : await ctx.call(seal, "seal");
      ctx.state.paid += 1;
      return seal === undefined ? [first, second] : [first, second, third];
    },
    async seal(ctx) {
      ctx.state.paid += 1;
      return await ctx.step("seal", (key) => ctx.propose(key + " seal"));
    },
    async bare(ctx) { return await ctx.propose("bare"); },
    async options(ctx, options: object) { return await ctx.step("charge", (key) => ctx.propose(key + " charge"), options as never); },
    async failing(ctx) {
      const charged = await ctx.step("charge", (key) => ctx.propose(key + " charge"));
      throw new Error("after " + charged);
    },
    async twice(ctx, name: string) {
      const keys: string[] = [];
      for (let use = 0; use < 2; use++) await ctx.step(name, (key) => { keys.push(key); });
      return keys;
    },
    async together(ctx, names: string[]) {
      return await Promise.all(names.map((name) => ctx.step(name, (key) => ctx.propose(key + " " + name))));
    },
    async nested(ctx) { return await ctx.step("outer", async () => { await null; return await ctx.step("inner", () => 1); }); },
    async large(ctx, length: number) { return (await ctx.step("large", () => "x".repeat(length))).length; },
    async count(ctx, steps: number) {
      for (let step = 0; step < steps; step++) await ctx.step("count", () => step);
      return steps;
    },
    async value(ctx) {
      const value = await ctx.step("value", () => ({ at: new Date(5), none: undefined, set: new Set([1n]) }));
      return [value.at instanceof Date, value.set.has(1n), "none" in value];
    },
    read: { reads: true, handle: (ctx) => ctx.state.paid },
    reads: { reads: true, handle: async (ctx) => await ctx.step("charge", () => 1) },
    wrong: async (ctx, given: { name: unknown; fn: unknown; options: unknown }) =>
      await ctx.step(given.name as string, (given.fn === true ? () => 1 : given.fn) as () => number, given.options as object),
  },
  stop: async (ctx) => { try { await ctx.step("last", () => 1); } catch (error) { ctx.state.last = [(error as { code: string }).code]; } },
});
`;
