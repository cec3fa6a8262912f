/** What the turns of one message asked: put once, however often the turn is run. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { askOnce, beginRun } from "../../runtime/ask-ledger.ts";
import type { AskAnswer, Message } from "../../runtime/message.ts";
import { messageOf, settleMessage } from "../../runtime/message.ts";

const message = (): Message => messageOf({ kind: "call", method: "pay", text: "1" }, { nowMs: 0, seed: 0 });

describe("a message whose turn is run again", () => {
  it("puts each question once, counted by its words, and joins those that are open", async () => {
    const asker = message();
    const put: string[] = [];
    const open: ((text: string) => void)[] = [];
    const ask = (text: string): Promise<AskAnswer> =>
      askOnce(asker, { verb: "call", text }, (nth) => {
        put.push(`${text}${nth}`);
        return new Promise((resolve) => open.push((answer) => resolve({ ok: true, text: answer })));
      });
    beginRun(asker);
    const first = [ask("a"), ask("b"), ask("a")];
    open[0]?.("one");
    assert.deepEqual(await first[0], { ok: true, text: "one" });
    asker.asks.push({ verb: "call", text: "a", answer: { ok: true, text: "one" } });

    beginRun(asker);
    assert.deepEqual(asker.asks, [], "what this run asked is counted anew");
    const again = [ask("b"), ask("a"), ask("a"), ask("c")];
    assert.deepEqual(put, ["a1", "b1", "a2", "c1"], "in another order, and one more");
    for (const [index, answer] of ["", "two", "three", "four"].entries()) open[index]?.(answer);
    const texts = (await Promise.all(again)).map((answer) => answer.ok && answer.text);
    assert.deepEqual(texts, ["two", "one", "three", "four"]);
  });

  it("tells verbs apart, and a call that is open ends with the message", async () => {
    const asker = message();
    const put: string[] = [];
    for (const verb of ["call", "propose"]) {
      await askOnce(asker, { verb, text: "a" }, async () => {
        put.push(verb);
        return { ok: false, code: "RUNTIME_CALL_TIMEOUT", message: "no" };
      });
    }
    assert.deepEqual(put, ["call", "propose"]);
    const ends: string[] = [];
    asker.open = new Set([(why) => void ends.push(why)]);
    settleMessage(asker, { text: "1" });
    assert.equal(ends.length, 1);
  });
});
