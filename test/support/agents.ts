/**
 * Agent sources used by several tests, and small ways to wait for what a runtime does.
 */
import type { EventListener, PlanariaEvent, Runtime, StampedEvent } from "../../runtime/index.ts";

/** A counter that can also misbehave in every way the runtime must survive. */
export const COUNTER = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ count: 0, last: "" }),
  on: {
    add(ctx, by: number) { return (ctx.state.count += by); },
    read: { reads: true, handle: (ctx) => ctx.state.count },
    echo: (_ctx, value: unknown) => value,
    who: (ctx) => ctx.self.id,
    fail(ctx, text: string) { ctx.state.count = -1; throw new RangeError(text); },
    loop() { for (;;); },
    bomb() { const all: unknown[] = []; for (;;) all.push(new Array(100_000).fill("x")); },
    recurse() { const down = (n: number): number => 1 + down(n + 1); return down(0); },
    badReply: () => () => 1,
    large: (_ctx, length: number) => "x".repeat(length),
    async relay(ctx, to: { agent: string; method: string; arg: unknown }) { return await ctx.call(to.agent, to.method, to.arg); },
    tell(ctx, to: { agent: string; method: string; arg: unknown }) { ctx.cast(to.agent, to.method, to.arg); return "sent"; },
    mark(ctx, label: string) { ctx.state.last = label; ctx.checkpoint(label); },
    propose: (ctx, source: string) => ctx.propose(source),
    verdict(ctx, verdict: { ruling: string }) { ctx.state.last = verdict.ruling; },
    last: (ctx) => ctx.state.last,
    say(ctx, text: string) { ctx.log.info(text); },
  },
  stop(ctx, reason) { ctx.state.last = "stopped: " + reason; },
});
`;

/** Resolves with the first event that matches, also one that already happened. */
export function eventOf(runtime: Runtime, matches: (event: PlanariaEvent) => boolean): Promise<PlanariaEvent> {
  const { promise, resolve } = Promise.withResolvers<PlanariaEvent>();
  const listener: EventListener = (stamped: StampedEvent) => {
    if (matches(stamped.event)) resolve(stamped.event);
  };
  const { unsubscribe } = runtime.subscribe(listener, { after: 0 });
  return promise.finally(unsubscribe);
}

/** The code of the error a promise rejects with; fails when it does not reject. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return String((error as { readonly code?: unknown }).code); // any of the floors' errors
  }
  throw new Error("it should have been refused");
}
