/** Made-up messages: what they are made of, that a seed repeats them, and how a harmful one is made smaller. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AttackMessage } from "../../../evolution/attacks/attack.ts";
import { generateCases } from "../../../evolution/attacks/generate.ts";
import { HOSTILE_VALUES, MISSING } from "../../../evolution/attacks/hostile-values.ts";
import { placesOf, replaced } from "../../../evolution/attacks/mutate.ts";
import { shrink, simplerValues } from "../../../evolution/attacks/shrink.ts";
import { seededRandom } from "../../../runtime/index.ts";
import type { RecordedTurn } from "../../../runtime/index.ts";
import { decode, encode } from "../../../sandbox/index.ts";

const SEED = Number(process.env["SEED"] ?? 3);
const BYTES_MAX = 1 << 20;

const text = (value: unknown): string => encode(value, { bytesMax: BYTES_MAX });
const value = (message: AttackMessage): unknown => decode(message.text, { bytesMax: BYTES_MAX });

const turn = (method: string, argument: unknown, kind: "call" | "cast" = "call"): RecordedTurn => ({
  kind,
  method,
  text: text(argument),
  nowMs: 1,
  seed: 1,
  asks: [],
  result: { ok: true, reply: "null" },
  cpuMs: 1,
  beforeSeq: 1,
});

const TURNS = [
  turn("add", { title: "a", tags: ["x"] }),
  turn("add", { title: "b", tags: [] }),
  turn("say", "hi", "cast"),
];

function casesOf(options: { readonly seed?: number; readonly count?: number; readonly bytesMax?: number } = {}) {
  const { seed = SEED, count = 200, bytesMax = BYTES_MAX } = options;
  const methods = ["add", "say", "never", "@exit"];
  return generateCases({ methods, turns: TURNS, count, random: seededRandom(seed), bytesMax });
}

describe(`made-up messages (seed ${SEED})`, () => {
  it("are the same for the same seed, and others for another one", () => {
    assert.deepEqual(casesOf(), casesOf());
    assert.notDeepEqual(casesOf(), casesOf({ seed: SEED + 1 }));
  });

  it("go to every method that can be called, in turn, in the way it is called", () => {
    const cases = casesOf();
    assert.equal(cases.length, 200);
    assert.deepEqual(
      cases.slice(0, 3).map(({ message }) => [message.method, message.kind]),
      [
        ["add", "call"],
        ["say", "cast"],
        ["never", "call"],
      ],
    );
    assert.ok(cases.every(({ message }) => message.method !== "@exit"));
  });

  it("vary every place of an argument that was seen, the most telling values first", () => {
    const shown = casesOf().map(({ message, what }) => `${message.method}: ${what}`);
    for (const what of [
      "add: nothing at all",
      "add: nothing at all at title",
      "add: an empty text at title",
      "add: the text __proto__ at tags",
      "add: a list in lists at tags.0",
      "say: a huge text",
      "never: null",
    ])
      assert.ok(shown.includes(what), what);
  });

  it("are all messages that may be sent, and no more than were asked for", () => {
    assert.ok(casesOf().every(({ message }) => message.text.length <= BYTES_MAX && value(message) !== Symbol()));
    const short = casesOf({ bytesMax: 1_000, count: 10_000 });
    assert.ok(short.length > 100 && short.every(({ message }) => Buffer.byteLength(message.text) <= 1_000));
    assert.deepEqual(casesOf({ count: 0 }), []);
    assert.equal(casesOf({ count: 5 }).length, 5);
  });

  it("are none where there is nothing to call", () => {
    assert.deepEqual(generateCases({ methods: [], turns: TURNS, count: 9, random: seededRandom(1), bytesMax: 99 }), []);
  });
});

describe("hostile values", () => {
  it("can all be sent, but the one that stands for none", () => {
    for (const { what, value: hostile } of HOSTILE_VALUES)
      if (hostile !== MISSING) assert.doesNotThrow(() => text({ deep: [{ inside: hostile }] }), what);
  });
});

describe("places of a value", () => {
  it("are its root, its keys and its first items", () => {
    assert.deepEqual(placesOf({ a: [1, { b: 2 }], c: "x" }), [[], ["a"], ["c"], ["a", 0], ["a", 1], ["a", 1, "b"]]);
    assert.equal(placesOf(Array.from({ length: 1_000 }, () => 0)).length, 4);
    assert.equal(placesOf(new Map([[1, 2]])).length, 1);
    const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`k${index}`, index]));
    assert.equal(placesOf(wide).length, 200);
  });

  it("are exchanged or taken away, and the value that was given stays as it was", () => {
    const given = { a: [1, { b: 2 }], c: "x" };
    assert.deepEqual(replaced(given, ["a", 1, "b"], NaN), { a: [1, { b: NaN }], c: "x" });
    assert.deepEqual(replaced(given, ["a", 0], MISSING), { a: [{ b: 2 }], c: "x" });
    assert.deepEqual(replaced(given, ["c"], MISSING), { a: [1, { b: 2 }] });
    assert.equal(replaced(given, [], MISSING), undefined);
    assert.equal(replaced(given, [], "other"), "other");
    assert.deepEqual(given, { a: [1, { b: 2 }], c: "x" });
  });
});

describe("a harmful message", () => {
  const message: AttackMessage = {
    kind: "call",
    method: "add",
    text: text({ title: "x".repeat(1_000), tags: ["a", "", "c"], date: new Date(0) }),
  };

  it("is made as small as it can be and still does harm", async () => {
    const small = await shrink(message, {
      triesMax: 1_000,
      isHarmful: async (smaller) => {
        const { tags } = value(smaller) as { tags?: unknown };
        return Array.isArray(tags) && tags.includes("");
      },
    });
    assert.deepEqual(value(small), { tags: [""] });
  });

  it("is asked about no more often than allowed, nor twice in the same words", async () => {
    for (const triesMax of [0, 1, 7]) {
      const asked: string[] = [];
      await shrink(message, {
        triesMax,
        isHarmful: async (smaller) => {
          asked.push(smaller.text);
          return asked.length % 2 === 0;
        },
      });
      assert.ok(asked.length <= triesMax, `${asked.length} of ${triesMax}`);
      assert.equal(new Set(asked).size, asked.length);
    }
  });

  it("stays as it is where nothing simpler does harm", async () => {
    assert.equal(await shrink(message, { triesMax: 100, isHarmful: async () => false }), message);
  });

  it("has few simpler forms, however large it is", () => {
    for (const large of [
      "x".repeat(500_000),
      Array.from({ length: 100_000 }, (_, index) => index),
      Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`k${index}`, [index]])),
    ])
      assert.ok(simplerValues(large).length <= 25, String(simplerValues(large).length));
    for (const least of ["", 0, [], {}, null, undefined]) assert.deepEqual(simplerValues(least), []);
  });
});
