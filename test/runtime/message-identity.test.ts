/** Names of messages, and what is derived from them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { derivedCallId, effectKey, identityOf, isDerived, isNamed } from "../../runtime/message-identity.ts";
import type { Letter, Message } from "../../runtime/message.ts";
import { messageOf } from "../../runtime/message.ts";

const letter = (own: Partial<Letter> = {}): Message =>
  messageOf({ kind: "call", method: "pay", text: "1", ...own }, { nowMs: 0, seed: 0 });
const life = { branch: 3, epoch: 7 };

describe("the name of a message", () => {
  it("is its caller's id, or what its source calls it, and is the same in another process", () => {
    for (const own of [{ callId: "order-7" }, { identity: "timer/9" }]) {
      assert.equal(isNamed(letter(own)), true);
      assert.equal(identityOf(letter(own), life), identityOf(letter(own), { branch: 9, epoch: 1 }));
    }
    assert.notEqual(identityOf(letter({ callId: "a" }), life), identityOf(letter({ identity: "a" }), life));
  });

  it("is made of branch, epoch and turn otherwise, and stays with the message when it is run again", () => {
    const message = letter();
    message.turn = 4;
    const first = identityOf(message, life);
    message.turn = 9;
    assert.equal(identityOf(message, { branch: 3, epoch: 8 }), first);
    const others = [
      { at: life, turn: 5 },
      { at: { branch: 4, epoch: 7 }, turn: 4 },
      { at: { branch: 3, epoch: 8 }, turn: 4 },
    ].map(({ at, turn }) => identityOf(Object.assign(letter(), { turn }), at));
    assert.equal(new Set([first, ...others]).size, 4);
    assert.equal(isNamed(message), false);
  });
});

describe("the id of a call that a turn makes", () => {
  it("tells agent, message, words and use apart", () => {
    const message = letter({ callId: "order-7" });
    const ids = [
      derivedCallId("a", message, { step: "", text: "x", nth: 1 }),
      derivedCallId("b", message, { step: "", text: "x", nth: 1 }),
      derivedCallId("a", letter({ callId: "order-8" }), { step: "", text: "x", nth: 1 }),
      derivedCallId("a", message, { step: "", text: "y", nth: 1 }),
      derivedCallId("a", message, { step: "", text: "x", nth: 2 }),
    ];
    assert.equal(new Set(ids).size, 5);
    assert.equal(
      ids.every((id) => id !== undefined && isDerived(id)),
      true,
    );
    assert.equal(derivedCallId("a", letter({ callId: "order-7" }), { step: "", text: "x", nth: 1 }), ids[0]);
  });

  it("is none where the message cannot come again after a restart", () => {
    assert.equal(derivedCallId("a", letter(), { step: "", text: "x", nth: 1 }), undefined);
    assert.equal(isDerived("order-7"), false);
  });
});

describe("the key of an effect", () => {
  it("tells vault, agent, message, step and use apart, whatever they are called", () => {
    const step = { vault: "v", agent: "a", identity: "i", name: "n", use: 1 };
    const keys = [
      effectKey(step),
      effectKey({ ...step, vault: "w" }),
      effectKey({ ...step, agent: "b" }),
      effectKey({ ...step, identity: "j" }),
      effectKey({ ...step, name: "m" }),
      effectKey({ ...step, use: 2 }),
      effectKey({ ...step, vault: "v,a", agent: "" }),
    ];
    assert.equal(new Set(keys).size, 7);
    assert.match(keys[0] ?? "", /^[\w-]{43}$/);
  });
});
