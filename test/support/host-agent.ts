/** An agent that calls whatever capability it is told to, and says what it was answered. */
import type { Capability, SpawnOptions } from "../../runtime/index.ts";
import { defineCapability } from "../../runtime/index.ts";

/** Its code. `try` answers `[value]`, or the code and the message of what it was refused with. */
export const HOST_AGENT = `
import { agent } from "planaria/agent";
const all = async (parts) => {
  const list = [];
  for await (const part of parts) list.push(part);
  return list;
};
const answer = async (promise) => {
  try { return [await promise]; } catch (error) { return { code: error.code, message: error.message, stack: error.stack }; }
};
export default agent({
  version: 1,
  state: () => ({ log: [] }),
  on: {
    call: (ctx, [name, verb, ...args]) => ctx.host[name][verb](...args),
    itself: (ctx, [name, ...args]) => ctx.host[name](...args),
    try: (ctx, [name, verb, ...args]) => answer(ctx.host[name][verb](...args)),
    parts: (ctx, [name, verb, ...args]) => all(ctx.host[name][verb](...args)),
    tryParts: (ctx, [name, verb, ...args]) => answer(all(ctx.host[name][verb](...args))),
    async many(ctx, [count, name, verb, ...args]) {
      return await Promise.all(Array.from({ length: count }, () => answer(ctx.host[name][verb](...args))));
    },
    async first(ctx, [name, verb, ...args]) {
      for await (const part of ctx.host[name][verb](...args)) return part;
    },
    forget: (ctx, [name, verb, ...args]) => { ctx.host[name][verb](...args); return "not awaited"; },
    reads: { reads: true, handle: async (ctx, [name, verb, ...args]) => await ctx.host[name][verb](...args) },
    spawn: (ctx, options) => answer(ctx.spawn(options)),
    relay: (ctx, [agent, method, argument]) => answer(ctx.call(agent, method, argument)),
    grants: (ctx) => Object.keys(ctx.host),
    mark: (ctx, label) => ctx.checkpoint(label),
  },
});
`;

/** What such an agent is spawned with. */
export function hostAgent(host?: SpawnOptions["host"], id = "a"): SpawnOptions {
  return { id, source: HOST_AGENT, ...(host === undefined ? {} : { host }) };
}

/** What a refusal looks like to the agent. */
export interface Refused {
  readonly code: string;
  readonly message: string;
  readonly stack: string;
}

/** A schema that takes everything. */
const anything = { safeParse: (data: unknown) => ({ success: true, data }) as const };

/** A capability whose verbs take anything and do as they are told. */
export function capabilityOf(
  name: string,
  verbs: Readonly<
    Record<string, Parameters<typeof defineCapability<unknown, Record<string, never[]>>>[0]["verbs"][string]["run"]>
  >,
  timeoutMs?: number,
): Capability {
  const args = { safeParse: (data: unknown) => ({ success: true, data: data as never[] }) as const }; // whatever the agent gave
  const limit = timeoutMs === undefined ? {} : { timeoutMs };
  return defineCapability({
    name,
    grant: anything,
    verbs: Object.fromEntries(Object.entries(verbs).map(([verb, run]) => [verb, { args, run, ...limit }])),
  });
}
