/** The types of a definition: each commented error is one that the compiler of the project must find (`tsc --noEmit`). */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { agent, type ArgumentOf, type MethodsOf, type ReplyOf, type StateOf } from "../../sandbox/agent.ts";

const definition = agent({
  version: 1,
  state: () => ({ count: 0, notes: [] as string[], seen: new Map<string, Date>() }),
  on: {
    add(ctx, by: number) {
      return (ctx.state.count += by);
    },
    async later(ctx, options?: { readonly to: string }) {
      await ctx.call(options?.to ?? "", "hello");
      return ctx.state.notes;
    },
    nothing(ctx) {
      ctx.state.notes.push(ctx.self.id);
    },
    read: { reads: true, handle: (ctx) => ctx.state.count },
    at: { reads: true, handle: (ctx, index: number) => ctx.state.notes[index] },
  },
  migrate: (old: { readonly count: number }, fromVersion) => ({ ...old, notes: [`${fromVersion}`], seen: new Map() }),
  stop(ctx, reason) {
    ctx.state.notes.push(reason);
  },
});
type Definition = typeof definition;

/* oxlint-disable typescript/no-unnecessary-type-parameters -- the parameters of this known idiom compare types strictly, any included */
/** True only when both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <T extends true>(..._proofs: T[]): void => {};

describe("the type of an agent", () => {
  it("keeps methods, arguments, replies and state", () => {
    holds<Same<MethodsOf<Definition>, "add" | "later" | "nothing" | "read" | "at">>();
    holds<Same<ArgumentOf<Definition, "add">, number>>();
    holds<Same<ArgumentOf<Definition, "later">, { readonly to: string } | undefined>>();
    holds<Same<ArgumentOf<Definition, "nothing">, undefined>>();
    holds<Same<ArgumentOf<Definition, "read">, undefined>>();
    holds<Same<ArgumentOf<Definition, "at">, number>>();
    holds<Same<ReplyOf<Definition, "add">, number>>();
    holds<Same<ReplyOf<Definition, "later">, string[]>>();
    holds<Same<ReplyOf<Definition, "nothing">, void>>();
    holds<Same<ReplyOf<Definition, "read">, number>>();
    holds<Same<ReplyOf<Definition, "at">, string | undefined>>();
    holds<Same<StateOf<Definition>["count"], number>>();
    assert.deepEqual(Object.keys(definition.on), ["add", "later", "nothing", "read", "at"]);
  });

  it("gives a step the type of what its function returns, and neither steps nor hand-overs to handlers that only read", () => {
    const stepping = agent({
      version: 1,
      state: () => ({ paid: 0 }),
      on: {
        async pay(ctx, cents: number) {
          const paid = await ctx.step("charge", async (key) => key.length + cents, {
            retries: 2,
            key: "bank",
            concurrency: 1,
          });
          // @ts-expect-error -- there is no such option
          await ctx.step("charge", () => paid, { retry: 1 });
          ctx.handover({ paid, used: ctx.used(paid) });
          return paid;
        },
        look: {
          reads: true,
          handle: (ctx) => {
            // @ts-expect-error -- a handler that only reads runs no step
            const { step } = ctx;
            return [typeof step, ctx.note];
          },
        },
      },
      handover: (ctx) => `paid ${ctx.state.paid}`,
    });
    holds<Same<ReplyOf<typeof stepping, "pay">, number>>();
    assert.equal(typeof stepping.handover, "function");
  });

  it("finds wrong names, arguments and writes before anything runs", () => {
    // @ts-expect-error -- no such method
    holds<Same<ArgumentOf<Definition, "ad">, number>>();
    // @ts-expect-error -- not its type
    holds<Same<ArgumentOf<Definition, "add">, string>>();
    const wrong = agent({
      version: 1,
      state: () => ({ count: 0, deep: { list: [1] } }),
      on: {
        misspelt(ctx) {
          // @ts-expect-error -- no such key
          return ctx.state.cuont;
        },
        wrongType(ctx) {
          // @ts-expect-error -- a number is no text
          ctx.state.count = "1";
        },
        write: {
          reads: true,
          handle(ctx) {
            // @ts-expect-error -- a handler that reads sees the state frozen
            ctx.state.count = 1;
            // @ts-expect-error -- through and through
            ctx.state.deep.list.push(1);
          },
        },
        async rows(ctx) {
          const table = ctx.table<{ text: string }>("notes");
          table.put("k", { text: "x" });
          // @ts-expect-error -- no row of this table
          table.put("k", "x");
          // @ts-expect-error -- there may be none
          (await table.get("k")).text.trim();
          // @ts-expect-error -- no such option
          table.range({ form: "k" });
        },
        rowsOnly: {
          reads: true,
          async handle(ctx) {
            const table = ctx.table<number>("notes");
            // @ts-expect-error -- a handler that reads writes no rows
            table.put("k", 1);
            let sum = 0;
            for await (const [, value] of table.range({ prefix: "a" })) sum += value;
            return sum;
          },
        },
        unknownPower(ctx) {
          // @ts-expect-error -- there is no such capability
          ctx.require("fs");
        },
      },
    });
    // @ts-expect-error -- a definition needs a version
    agent({ state: () => ({}), on: {} });
    assert.equal(wrong.version, 1);
  });
});
