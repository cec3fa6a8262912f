/**
 * Programs that run one after the other in one heap. Whatever the one before did, the next one finds the realm that it would have
 * found as the first: every global, everything that can be reached from there, and how it behaves.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openRunner } from "../../../../evolution/population/run/runner.ts";
import { ENDLESS, GRASPING, type Hostile, LITTERING } from "./programs.ts";

const FUEL = 200_000;
const LITTER_FUEL = 20_000;
/** With those of the others that go for what all share. */
const BEFORE: readonly Hostile[] = [
  ...LITTERING,
  ...GRASPING.filter(({ what }) => /spoil|speaks|rejects|recurses|revoked|settles/.test(what)),
  ...ENDLESS.filter(({ what }) => /microtasks|reactions|promise|swallows/.test(what)),
];

/** Walks all that can be reached from the globals, and says how much it was and a hash of it; then uses what others may have spoiled. */
const PROBE = `
async function f(x) {
  const seen = new Map();
  let hash = 7;
  const add = (text) => { for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0; };
  const say = (value) => {
    if (value === null || (typeof value !== "object" && typeof value !== "function")) return typeof value === "symbol" ? value.toString() : typeof value + String(value);
    if (!seen.has(value)) seen.set(value, seen.size);
    return "#" + seen.get(value);
  };
  say(globalThis);
  for (const value of seen.keys()) {
    add(say(Object.getPrototypeOf(value)) + Object.isExtensible(value) + (typeof value === "function" ? value.toString() : ""));
    for (const key of Reflect.ownKeys(value)) {
      if (value === globalThis && key === "RegExp") continue;
      const { get, set, value: held, writable, enumerable, configurable } = Object.getOwnPropertyDescriptor(value, key);
      add([key.toString(), say(get), say(set), say(held), writable, enumerable, configurable].join());
    }
  }
  const order = [];
  await Promise.all([1, 2].map(async (n) => { order.push(n); await null; order.push(-n) }));
  const behaves = [[3, 1, 2].sort().map((n) => n + 1), JSON.stringify({ a: [x] }), "a-b".split("-"), order, Math.random(), Date.now(), typeof left];
  return [seen.size, hash, JSON.stringify(behaves), RegExp.$1, Object.keys(globalThis).length];
}`;

describe("a program that runs where another one ran before", () => {
  it("finds what it would have found as the first one", async () => {
    await using runner = await openRunner({ workers: 1 });
    const run = async (text: string, fuel: number) => await runner.run({ text, entry: "f" }, [[1]], { fuel });
    const first = await run(PROBE, FUEL);
    assert.equal(first.outcomes[0]?.kind, "returned", JSON.stringify(first.outcomes));
    for (const { what, text, ends } of BEFORE) {
      const { outcomes } = await run(text, LITTER_FUEL);
      assert.ok(outcomes.every(ends), `${what}: ${JSON.stringify(outcomes)}`);
      const { cpuMs: _, ...probed } = await run(PROBE, FUEL);
      const { cpuMs: __, ...expected } = first;
      assert.deepEqual(probed, expected, `after a program that ${what}`);
    }
  });
});
