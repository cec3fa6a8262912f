/**
 * A feed whose records cannot be read: that costs the feed a pause, and the process nothing.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Feed } from "../../runtime/feed.ts";
import type { FeedSource } from "../../runtime/feed.ts";
import { messageOf, settleMessage } from "../../runtime/message.ts";
import type { Caller, Letter, Message } from "../../runtime/message.ts";
import { VaultError } from "../../vault/index.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

/** Numbers from 1 to 3, kept in a vault that can be damaged. */
class Numbers implements FeedSource<number> {
  isDamaged = false;
  readonly handled = new Set<number>();
  #next = 1;

  peek():
    | { readonly key: number; readonly letter: { readonly kind: "cast"; method: string; text: string } }
    | undefined {
    this.#read();
    if (this.#next > 3) return undefined;
    return { key: this.#next, letter: { kind: "cast", method: "go", text: String(this.#next) } };
  }

  taken(): void {
    this.#next += 1;
  }

  isHandled(key: number): boolean {
    this.#read();
    return this.handled.has(key);
  }

  done(): void {
    this.#read();
  }

  rewind(): void {
    this.#read();
    this.#next = 1;
    while (this.handled.has(this.#next)) this.#next += 1;
  }

  #read(): void {
    if (this.isDamaged) throw new VaultError("VAULT_PAGE_DAMAGED", "a page of this topic is damaged");
  }
}

function feedOf(): { source: Numbers; clock: SimulatedClock; out: Message[]; feed: Feed<number> } {
  const [source, clock, out] = [new Numbers(), new SimulatedClock(), [] as Message[]];
  const deliver = (_agent: string, letter: Letter, caller: Caller): Message => {
    const message = messageOf(letter, { nowMs: 0, seed: 0 });
    message.callers.add(caller);
    out.push(message);
    return message;
  };
  return { source, clock, out, feed: new Feed("a", { clock, deliver, withdraw: () => true }, source) };
}

describe("a feed over a damaged page", () => {
  for (const [what, result] of [
    ["that was handled", { text: "" }],
    ["that failed", { error: new Error("no") }],
  ] as const) {
    it(`pauses at the end of a letter ${what}, and goes on when the page is mended`, async () => {
      const { source, clock, out, feed } = feedOf();
      feed.pump();
      assert.equal(out.length, 3);
      source.isDamaged = true;
      for (const message of out.splice(0)) settleMessage(message, result);
      await Promise.resolve(); // the microtask in which an end is looked at
      assert.equal(clock.armed, 1, "it pauses");
      clock.advance(60_000);
      assert.equal(clock.armed, 1, "and again, while the page is damaged");
      source.isDamaged = false;
      if ("text" in result) for (const key of [1, 2]) source.handled.add(key);
      clock.advance(60_000);
      const wanted = "text" in result ? ["3"] : ["1", "2", "3"];
      assert.deepEqual(
        out.map(({ text }) => text),
        wanted,
        "what the vault has not seen handled comes again",
      );
    });
  }
});
