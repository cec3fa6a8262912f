/** The effect firewall by itself: who gets which answer, and what is counted. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RecordedAsk } from "../../runtime/message.ts";
import type { Simulate } from "../../runtime/shadow-effects.ts";
import { differingEffects, TurnEffects } from "../../runtime/shadow-effects.ts";

function effectsOf(recorded: readonly RecordedAsk[], simulate?: Simulate): TurnEffects {
  return new TurnEffects({ recorded, simulate, bytesMax: 100 });
}

function ask(verb: string, text: string, answer: string): RecordedAsk {
  return { verb, text, answer: { ok: true, text: answer } };
}

/** The text of an answer, or the code of its refusal. */
function said(effects: TurnEffects, verb: string, text: string): string {
  const answer = effects.answer(verb, text);
  return answer.ok ? answer.text : answer.code;
}

const REFUSED = "RUNTIME_EFFECT_REFUSED";

describe("a question of a shadow", () => {
  it("gets the answer that the live turn got when it asked the same as often, in whatever order others came between", () => {
    const effects = effectsOf([ask("call", "b", "1"), ask("call", "c", "2"), ask("call", "b", "3")]);
    const answers = ["c", "b", "b", "b", "c"].map((text) => said(effects, "call", text));
    assert.deepEqual(answers, ["2", "1", "3", REFUSED, REFUSED]);
    assert.deepEqual(
      effects.effects.map(({ nth, isMatched, how }) => [nth, isMatched, how]),
      [
        [1, true, "recorded"],
        [1, true, "recorded"],
        [2, true, "recorded"],
        [3, false, "refused"],
        [2, false, "refused"],
      ],
    );
  });

  it("gets no answer of another verb, nor of words that only look alike when they are joined", () => {
    const effects = effectsOf([ask("call", "x y", "1"), ask("a b", "c", "2"), ask("a", "b c", "3")]);
    assert.equal(said(effects, "spawn", "x y"), REFUSED);
    assert.equal(said(effects, "call x", "y"), REFUSED);
    assert.deepEqual([said(effects, "a", "b c"), said(effects, "a b", "c")], ["3", "2"]);
    assert.equal(new Set(effects.effects.map(({ hash }) => hash)).size, 4);
  });

  it("gets a recorded refusal as it was", () => {
    const answer = { ok: false, code: "RUNTIME_MAILBOX_FULL", message: "full" } as const;
    const effects = effectsOf([{ verb: "call", text: "b", answer }]);
    assert.deepEqual(effects.answer("call", "b"), answer);
    assert.equal(effects.effects[0]?.isMatched, true);
  });

  it("takes time in proportion to what was asked, and not to its square", () => {
    const count = 20_000;
    const recorded = Array.from({ length: count }, (_, no) => ask("call", `q${no}`, String(no)));
    const cost = (asks: readonly RecordedAsk[]): number => {
      const effects = effectsOf(asks);
      const before = process.threadCpuUsage();
      for (const { verb, text } of asks.toReversed()) assert.ok(effects.answer(verb, text).ok);
      const { user, system } = process.threadCpuUsage(before);
      return user + system;
    };
    cost(recorded.slice(0, 1_000)); // warm
    const [few, many] = [cost(recorded.slice(0, count / 10)), cost(recorded)];
    assert.ok(many < 40 * few, `ten times as many took ${(many / few).toFixed(1)} times as long`);
  });
});

describe("simulate", () => {
  it("answers what was not recorded, in the form in which the guest knows answers of that kind", () => {
    const asked: string[] = [];
    const effects = effectsOf([ask("call", "known", "1")], ({ verb, text }) => {
      asked.push(`${verb} ${text}`);
      return text === "no" ? undefined : "7";
    });
    const answers = [
      said(effects, "call", "known"),
      said(effects, "call", "x"),
      said(effects, "call", "no"),
      said(effects, "host", "x"),
      said(effects, "step.begin", "x"),
    ];
    assert.deepEqual(answers, ["1", "7", REFUSED, "=7", "=7"]);
    assert.deepEqual(asked, ["call x", "call no", "host x", "step.begin x"]);
    assert.deepEqual(
      effects.effects.map(({ how }) => how),
      ["recorded", "simulated", "refused", "simulated", "simulated"],
    );
    assert.equal(effects.failure, undefined);
  });

  it("is not asked for what has no single answer: the batches of a stream, and what follows a step that runs", () => {
    const effects = effectsOf([], () => assert.fail("it was asked"));
    for (const verb of ["host.next", "host.end", "step.wait", "step.end", "step.fail"])
      assert.equal(said(effects, verb, "x"), REFUSED);
    assert.equal(effects.failure, undefined);
  });

  const wrong: readonly (readonly [what: string, simulate: Simulate, why: RegExp])[] = [
    [
      "throws",
      () => {
        throw new RangeError("not today");
      },
      /not today/,
    ],
    ["gives what is no text", (() => 7) as unknown as Simulate, /it gave number/], // what a JavaScript program may hand in
    ["gives what is no encoded value", () => "{", /cannot be parsed/],
    ["gives more than a message may hold", () => JSON.stringify("x".repeat(100)), /longer than 100 bytes/],
    ["names __proto__", () => '{"__proto__":{}}', /__proto__/],
  ];
  for (const [what, simulate, why] of wrong) {
    it(`that ${what} refuses the effect, is known as the trial's fault, and is asked no more`, () => {
      let asked = 0;
      const effects = effectsOf([], (call) => {
        asked += 1;
        return simulate(call);
      });
      assert.deepEqual([said(effects, "call", "x"), said(effects, "call", "y")], [REFUSED, REFUSED]);
      assert.equal(effects.failure?.code, "RUNTIME_SIMULATION_FAILED");
      assert.match(effects.failure.message, why);
      assert.equal(asked, 1);
    });
  }
});

describe("the effects of two turns differ", () => {
  it("in what one wanted and the other did not, counted, whatever the order", () => {
    const left = effectsOf([]);
    const right = effectsOf([]);
    left.answer("call", "a");
    left.sent([
      { verb: "cast", text: "b" },
      { verb: "cast", text: "b" },
      { verb: "publish", text: "c" },
    ]);
    right.sent([
      { verb: "publish", text: "c" },
      { verb: "cast", text: "b" },
      { verb: "cast", text: "d" },
    ]);
    right.answer("call", "a");
    assert.deepEqual(
      differingEffects(left.effects, right.effects).map(({ verb, nth, how }) => [verb, nth, how]),
      [
        ["cast", 2, "sent"],
        ["cast", 1, "sent"],
      ],
    );
    assert.deepEqual(differingEffects(left.effects, left.effects), []);
  });
});
