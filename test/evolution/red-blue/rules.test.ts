/** The rules of a duel, without anything running: what pays, what the hall keeps, how messages become sessions. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readProgram } from "../../../evolution/mutation/program.ts";
import { seededRandom } from "../../../runtime/index.ts";
import { testFrom, testOf } from "../../../evolution/red-blue/attacker.ts";
import type { HallTest } from "../../../evolution/red-blue/hall.ts";
import { HALL_MAX, hallOf } from "../../../evolution/red-blue/hall.ts";
import { PLAIN, rescheduled, timed, TURNS_MAX } from "../../../evolution/red-blue/schedule.ts";
import { childOf } from "../../../evolution/red-blue/breed.ts";
import { functionMutator } from "../../../evolution/red-blue/functions.ts";
import { wordMutator, wordsOf } from "../../../evolution/red-blue/words.ts";
import { attackerWorth, raritiesOf, telling, versionWorth } from "../../../evolution/red-blue/worth.ts";

const signal = new AbortController().signal;
const plain = { size: 0, rarity: 0 };

describe("attackers", () => {
  it("are paid most for what breaks some versions and not others, and little for what breaks all", () => {
    assert.deepEqual([0, 0.1, 0.2, 0.5, 0.8].map(telling), [0, 0.5, 1, 1, 1]);
    assert.equal(telling(1), 0.25);
    assert.ok(telling(0.9) < 0.51);
    const half = attackerWorth([["crash", undefined]], plain);
    assert.ok(half > attackerWorth([["crash", "crash"]], plain));
    assert.equal(attackerWorth([[undefined, undefined]], plain), 0);
  });

  it("are paid less for a larger program, more for worse harm, and nothing for what only a busy machine ends", () => {
    const worth = (harm: "wrong" | "forbidden" | "exceeded", size: number) =>
      attackerWorth([[harm, undefined]], { size, rarity: 0 });
    assert.ok(worth("forbidden", 0) > worth("wrong", 0));
    assert.ok(worth("wrong", 0) > worth("wrong", 1_000));
    assert.equal(worth("exceeded", 0), 0);
    assert.equal(attackerWorth([], plain), 0);
  });

  it("are paid for ways through the versions that few take, and never as much as for breaking one", () => {
    const ways = [new Set([1, 2]), new Set([1, 3]), new Set([1]), new Set<number>()];
    const rarities = raritiesOf(ways);
    assert.deepEqual(rarities, [1, 1, 0.25, 0]);
    assert.deepEqual(raritiesOf([new Set(), new Set()]), [0, 0]);
    const explorer = attackerWorth([[undefined, undefined]], { size: 0, rarity: 1 });
    assert.ok(explorer > 0 && explorer < attackerWorth([["wrong", undefined]], plain));
  });
});

describe("versions", () => {
  it("are paid for what they stand, more where others fall", () => {
    const telling = versionWorth({ isServing: true, stood: [true, false] }, [0.9, 0]);
    const common = versionWorth({ isServing: true, stood: [false, true] }, [0.9, 0]);
    assert.ok(telling > 0.9 && common < 0.1);
    assert.equal(versionWorth({ isServing: true, stood: [] }, []), 1);
  });

  it("are paid nothing when they do not serve real traffic, though they stand every attack", () => {
    assert.equal(versionWorth({ isServing: false, stood: [true, true] }, [1, 1]), 0);
  });
});

describe("the hall of fame", () => {
  const test = (id: string, over: Partial<HallTest> = {}): HallTest => ({
    id,
    session: [],
    bytes: 10,
    isChampions: false,
    ...over,
  });
  const panel = (...rows: readonly string[]) =>
    rows.map((ids) => ({ hasFallen: ({ id }: { id: string }) => ids.includes(id) }));
  const idsOf = (tests: readonly HallTest[]) => tests.map(({ id }) => id).join("");

  it("keeps an attack only while it tells two versions apart", () => {
    assert.equal(idsOf(hallOf([test("a"), test("b"), test("c")], panel("ab", "a"))), "b");
    assert.equal(idsOf(hallOf([test("a", { isChampions: true })], panel("a", "a"))), "");
  });

  it("has the shortest of those that tell the same versions apart, and an attack once", () => {
    const tests = [
      test("a", { bytes: 9 }),
      test("b", { bytes: 5 }),
      test("c", { bytes: 7 }),
      test("d", { bytes: 6 }),
      test("b", { bytes: 5 }),
    ];
    assert.equal(idsOf(hallOf(tests, panel("abcd", ""))), "bdc");
  });

  it("is bounded, and those of champions go last", () => {
    const ids = Array.from({ length: 100 }, (_, index) => String.fromCodePoint(0x4e00 + index));
    const tests = ids.map((id, index) => test(id, { isChampions: index === 99 }));
    // Each attack brings down another set of versions.
    const rows = Array.from({ length: 7 }, (_, bit) => ids.filter((_, index) => ((index + 1) >> bit) & 1).join(""));
    const kept = hallOf(tests, panel(...rows));
    assert.equal(kept.length, HALL_MAX);
    assert.equal(kept[0]?.id, ids[99]);
  });
});

describe("sessions", () => {
  it("come in bursts, with gaps and one jump of the clock, in the order of their schedule", () => {
    const schedule = { order: "reversed", burst: 2, gapMs: 10, jumpAfter: 2, jumpMs: 1_000 } as const;
    const session = timed(["a", "b", "c", "d"], schedule);
    assert.deepEqual(
      session.map(({ message, at }) => `${String(message)}${at}`),
      ["d0", "c0", "b10", "a1010"],
    );
    assert.equal(timed(["a"], { ...PLAIN, order: "repeated" }).length, 2);
  });

  it("are bounded, and their times never go back, whatever becomes of the schedule", () => {
    const random = seededRandom(7);
    let schedule = PLAIN;
    for (let step = 0; step < 2_000; step++) {
      schedule = rescheduled(schedule, random);
      const session = timed(
        Array.from({ length: 50 }, () => "x"),
        schedule,
      );
      assert.equal(session.length, TURNS_MAX);
      assert.ok(
        session.every(({ at }, index) => Number.isSafeInteger(at) && at >= (session[index - 1]?.at ?? 0)),
        JSON.stringify(schedule),
      );
    }
  });

  for (const [what, value] of [
    ["no list", { length: 3 }],
    ["no message", []],
    ["a message of a megabyte", ["x".repeat(1 << 20)]],
    ["many long ones", Array.from({ length: 20 }, () => "x".repeat(2_000))],
  ] as const) {
    it(`are not made of ${what}`, () => assert.equal(testOf({ kind: "returned", value }, PLAIN), undefined));
  }
  it("are not made by a generator that throws or does not end, and a list too long is cut", () => {
    assert.equal(testOf({ kind: "fuel" }, PLAIN), undefined);
    assert.equal(testOf({ kind: "threw", message: "no" }, PLAIN), undefined);
    assert.equal(
      testOf({ kind: "returned", value: Array.from({ length: 1_000 }, () => 1) }, PLAIN)?.session.length,
      TURNS_MAX,
    );
  });

  it("are named by what they are", () => {
    const of = (message: unknown) => testFrom([{ message, at: 0 }])?.id;
    assert.equal(of({ a: 1 }), of({ a: 1 }));
    assert.notEqual(of({ a: 1 }), of({ a: 2 }));
  });
});

describe("children of attackers and versions", () => {
  const program = 'function generate(random) {\n  return ["hello", 1, random()];\n}\n';

  it("have words of the versions under attack in the place of their own, and are programs", async () => {
    assert.deepEqual(wordsOf('f("x", [1, "y"], "x"); const { a } = { b: "" };'), ["x", "y"]);
    const mutators = [{ mutator: wordMutator(["<needle>"]), weight: 1 }];
    const texts = await Promise.all(
      Array.from({ length: 60 }, (_, seed) => childOf(program, [], { mutators, random: seededRandom(seed), signal })),
    );
    for (const text of texts) assert.notEqual(readProgram(text ?? "("), undefined, text ?? "no child");
    for (const part of [/"<needle>"/, /"hello<needle>"|"<needle>hello"/, /<needle>"\.repeat\(/, /\[NaN, /])
      assert.ok(
        texts.some((text) => part.test(text ?? "")),
        String(part),
      );
    assert.ok(new Set(texts).size > 20);
  });

  it("may have functions of a mate, of the same name and of no other", async () => {
    const mutators = [{ mutator: functionMutator, weight: 1 }];
    const own = "function a() { return 1; }\nfunction b() { return 2; }\nfunction c() { return 0; }";
    const mate = "function b() { return 20; }\nfunction a() { return 10; }\nfunction d() {}";
    const texts = await Promise.all(
      Array.from({ length: 30 }, (_, seed) => childOf(own, [mate], { mutators, random: seededRandom(seed), signal })),
    );
    const both = "function a() { return 10; }\nfunction b() { return 20; }\nfunction c() { return 0; }";
    assert.deepEqual(new Set(texts), new Set([both, both.replace("10", "1"), both.replace("20", "2")]));
    assert.equal(await childOf(own, [own], { mutators, random: seededRandom(1), signal }), undefined);
  });
});
