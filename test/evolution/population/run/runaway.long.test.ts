/**
 * A thousand hostile programs in one run, with honest ones among them: the host lives, nobody is scored for what another did, and
 * what fuel stops is stopped soon. The figures are printed.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openRunner } from "../../../../evolution/population/run/runner.ts";
import type { CallOutcome } from "../../../../evolution/population/program-runner.ts";
import type { Hostile } from "./programs.ts";
import { ENDLESS, fuel, GRASPING } from "./programs.ts";

const PROGRAMS = 1000;
const FUEL = 100_000;
/** Stops by a limit of the machine take their time: one in so many. */
const HEAVY_EVERY = 100;
const HEAVY: readonly Hostile[] = [
  {
    what: "fills its heap",
    text: "function f() { const all = []; const on = (n) => { for (let i = 0; i < 50; i++) all.push(new Array(5000).fill(n)); return on(n + 1) }; try { on(0) } catch { on(1) } }",
    ends: ({ kind }) => kind === "exceeded",
  },
  {
    what: "fills memory beside its heap",
    text: "function f() { const all = []; for (;;) all.push(new Uint8Array(1e6).fill(1)) }",
    ends: ({ kind }) => kind === "exceeded" || kind === "fuel" || kind === "threw",
  },
];

const honestText = (index: number) =>
  `function f(x) { let sum = ${index}; for (let i = 0; i <= x; i++) sum += i; return sum }`;

interface Asked {
  readonly what: string;
  readonly outcome: CallOutcome | undefined;
  readonly isRight: boolean;
  readonly isFuel: boolean;
  readonly cpuMs: number;
}

function hostileAt(index: number): Hostile {
  const light = [...ENDLESS, ...GRASPING];
  const all = index % HEAVY_EVERY === HEAVY_EVERY - 1 ? HEAVY : light;
  const hostile = all[Math.floor(index / (all === HEAVY ? HEAVY_EVERY : 1)) % all.length];
  assert.ok(hostile);
  return { ...hostile, text: `/* ${index} */ ${hostile.text}` };
}

describe("a thousand hostile programs in one run", () => {
  it("leave the host alive and every outcome with whom it belongs to, and fuel stops them within 50 ms", async () => {
    await using runner = await openRunner({ workers: 2 });
    const asked: Asked[] = [];
    let next = 0;
    const ask = async (): Promise<void> => {
      for (let index = next++; index < 2 * PROGRAMS; index = next++) {
        const hostile = index % 2 === 0 ? hostileAt(index / 2) : undefined;
        const text = hostile?.text ?? honestText(index);
        const { outcomes, cpuMs } = await runner.run({ text, entry: "f" }, [[1]], { fuel: FUEL });
        const [outcome] = outcomes;
        assert.ok(outcome);
        const isRight = hostile?.ends(outcome) ?? (outcome.kind === "returned" && outcome.value === index + 1);
        asked.push({ what: hostile?.what ?? "is honest", outcome, isRight, isFuel: hostile?.ends === fuel, cpuMs });
      }
    };
    await Promise.all(Array.from({ length: 12 }, ask));

    const wrong = asked.filter(({ isRight }) => !isRight);
    assert.deepEqual(wrong, []);
    assert.equal(asked.length, 2 * PROGRAMS);
    const stops = asked.filter(({ isFuel }) => isFuel).map(({ cpuMs }) => cpuMs);
    const sorted = stops.toSorted((a, b) => a - b);
    const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? NaN;
    console.log(
      `stopped by fuel (${FUEL}): ${sorted.length}, CPU ms p50 ${at(0.5)}, p99 ${at(0.99)}, most ${at(0.9999)}`,
    );
    assert.ok(at(0.99) < 50, `p99 of stops by fuel is ${at(0.99)} ms`);
  });
});
