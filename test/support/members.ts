/**
 * An agent that does all there is to do with topics and durable timers, and ways to wait for what it says.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { TopicItem } from "../../runtime/index.ts";

/** Publishes, subscribes and sets timers; what it handles it keeps, and says in the topic "done". */
export const MEMBER = `
import { agent } from "planaria/agent";
import type { Publication } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ heard: [] as unknown[], rang: [] as unknown[] }),
  on: {
    say(ctx, values: unknown[]) { for (const value of values) ctx.publish("news", value); return values.length; },
    sayAndFail(ctx, value: unknown) { ctx.publish("news", value); ctx.after(0, "ring", "never"); throw new Error("no"); },
    sayIn(ctx, [topic, value]: [string, unknown]) { ctx.publish(topic, value); },
    listen(ctx, after: number | undefined) { ctx.subscribe("news", "hear", after === undefined ? undefined : { after }); },
    listenTo(ctx, topics: string[]) { for (const topic of topics) ctx.subscribe(topic, "hear"); },
    unlisten(ctx) { ctx.unsubscribe("news"); },
    hear(ctx, { seq, value }: Publication) {
      if (value === "boom") throw new Error("boom");
      ctx.state.heard.push(seq);
      ctx.publish("done", { seq, value });
    },
    echo: (_ctx, text: string) => text,
    raw(ctx, p: unknown) { ctx.publish("done", p); },
    listenRaw(ctx) { ctx.subscribe("news", "raw"); },
    later(ctx, ms: number) { return ctx.after(ms, "ring", "later " + ms); },
    each(ctx, pattern: string) { return ctx.cron(pattern, "ring", pattern); },
    forget(ctx, id: string) { ctx.cancel(id); },
    ring(ctx, value: unknown) { ctx.state.rang.push(value); ctx.publish("done", value); },
    state: (ctx) => ({ heard: [...ctx.state.heard], rang: [...ctx.state.rang] }),
    bad(ctx, what: string) {
      if (what === "topic") ctx.publish("no topic", 1);
      if (what === "empty") ctx.subscribe("", "hear");
      if (what === "method") ctx.subscribe("news", "nope");
      if (what === "after") ctx.subscribe("news", "hear", { after: -1 });
      if (what === "option") ctx.subscribe("news", "hear", { befor: 1 } as object);
      if (what === "value") ctx.publish("news", () => 1);
      if (what === "large") ctx.publish("news", "x".repeat(2_000_000));
      if (what === "ms") ctx.after(-1, "ring");
      if (what === "NaN") ctx.after(Number.NaN, "ring");
      if (what === "timer method") ctx.after(1, "nope");
      if (what === "pattern") ctx.cron("", "ring");
      if (what === "id") ctx.cancel("../x");
    },
  },
});
`;

/** The next `count` values that agents said they had handled. */
export async function values(items: AsyncIterator<TopicItem>, count: number): Promise<unknown[]> {
  const found: unknown[] = [];
  while (found.length < count) {
    const { value } = (await items.next()) as { readonly value: TopicItem };
    assert.equal(value.kind, "publication");
    if (value.kind === "publication") found.push(value.value);
  }
  return found;
}

/** A new folder, removed when the test ends. */
export async function tempFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "planaria-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
