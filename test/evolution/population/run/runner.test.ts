/** Programs that nobody trusts, run in cells: what they answer, how they are stopped, and that none can touch what is said of another. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { EvolutionError } from "../../../../evolution/errors.ts";
import type { CellRunner } from "../../../../evolution/population/run/runner.ts";
import { openRunner } from "../../../../evolution/population/run/runner.ts";
import { SandboxError } from "../../../../sandbox/index.ts";
import { isRunning, until } from "../../../sandbox/support.ts";
import { ENDLESS, GRASPING } from "./programs.ts";

const FUEL = 20_000;
let runner: CellRunner;

before(async () => {
  runner = await openRunner({ workers: 2 });
});
after(async () => {
  await runner[Symbol.asyncDispose]();
});

async function run(text: string, calls: readonly (readonly unknown[])[] = [[1]], fuel = FUEL) {
  return await runner.run({ text, entry: "f" }, calls, { fuel });
}

async function values(text: string, calls: readonly (readonly unknown[])[]): Promise<readonly unknown[]> {
  const { outcomes } = await run(text, calls);
  return outcomes.map((outcome) => (outcome.kind === "returned" ? outcome.value : outcome));
}

describe("a program", () => {
  it("is called with each list of arguments, and says what it passed", async () => {
    const text =
      "export function f(n: number, by = 1): number { let sum = 0; for (let i = 0; i < n; i++) sum += by; return sum }";
    const { outcomes, fuelUsed, coverage, cpuMs } = await run(text, [[3], [4, 10], []]);
    assert.deepEqual(outcomes, [
      { kind: "returned", value: 3 },
      { kind: "returned", value: 40 },
      { kind: "returned", value: 0 },
    ]);
    assert.deepEqual(fuelUsed, [4, 5, 1]);
    assert.deepEqual([...(coverage ?? [])], [3, 7]);
    assert.ok(cpuMs >= 0);
  });

  it("says of each call which ways it took, where that is asked for", async () => {
    const text = "function f(n) { if (n > 1) return 1; while (n < 0) n--; return 0 }";
    const program = { text, entry: "f" };
    const calls = [[2], [0], [-1]];
    const plain = await runner.run(program, calls, { fuel: 50 });
    const { detail, outcomes, fuelUsed } = await runner.run(program, calls, { fuel: 50, isDetailed: true });
    assert.deepEqual([outcomes, fuelUsed], [plain.outcomes, plain.fuelUsed]);
    assert.equal(plain.detail, undefined);
    assert.deepEqual(
      detail?.blocks.map(({ start, end }) => text.slice(start, end)),
      [text, "return 1;", "n--;"],
    );
    assert.deepEqual(
      detail?.counts.map((counts) => Array.from(counts ?? [])),
      [
        [1, 1, 0],
        [1, 0, 0],
        [1, 0, 49],
      ],
    );
  });

  it("gives and takes values that JSON does not know", async () => {
    const list = [undefined, NaN, -0, 5n, new Map([["a", new Set([1])]]), new Date(7), new Uint8Array([1, 2])];
    assert.deepEqual(await values("const f = (...list) => list", [list]), [list]);
  });

  it("may be async, and is called as often as one likes", async () => {
    const calls = Array.from({ length: 50 }, (_, index) => [index]);
    const text = "async function f(x) { for (let i = 0; i < 20; i++) await null; return x }";
    assert.deepEqual(await values(text, calls), calls.flat());
    assert.equal((await run("const f = () => 1", [])).outcomes.length, 0);
  });

  it("begins anew with each call: variables, chance and time are what they were", async () => {
    const text =
      "let n = 0; function f(list) { n++; list.push(n); return [list, Math.random(), Date.now(), performance.now()] }";
    const list = [0];
    const [first, second] = await values(text, [[list], [list]]);
    assert.deepEqual(first, second);
    assert.deepEqual(list, [0]);
  });

  it("has the same outcomes whoever runs it, and whatever it is run together with", async () => {
    const text =
      "function f(n) { if (n === 3) for (;;); if (n > 4) throw new Error(`no ${n}`); return [n, Math.random()] }";
    const calls = [[1], [2], [3], [4], [5], [6]];
    const whole = await run(text, calls);
    const parts = await Promise.all(calls.map((call) => run(text, [call])));
    assert.deepEqual(
      parts.flatMap(({ outcomes }) => outcomes),
      whole.outcomes,
    );
    assert.deepEqual(
      parts.flatMap(({ fuelUsed }) => fuelUsed),
      whole.fuelUsed,
    );
  });

  it("that throws says so, and its other calls are answered", async () => {
    const { outcomes } = await run("function f(x) { if (x === 2) throw new TypeError('not two'); return x }", [
      [1],
      [2],
      [3],
    ]);
    assert.deepEqual(outcomes, [
      { kind: "returned", value: 1 },
      { kind: "threw", message: "TypeError: not two" },
      { kind: "returned", value: 3 },
    ]);
  });
});

describe("a program that never ends", () => {
  for (const { what, text, ends } of ENDLESS) {
    it(`is stopped by fuel where it ${what}`, async () => {
      const { outcomes, fuelUsed } = await run(text, [[1], [1]]);
      assert.ok(outcomes.every(ends), JSON.stringify(outcomes));
      assert.deepEqual(fuelUsed, [FUEL, FUEL]);
    });
  }
});

describe("a hostile program", () => {
  for (const { what, text, ends } of GRASPING) {
    it(`gets what it should where it ${what}`, async () => {
      const { outcomes } = await run(text, [[1], [1]]);
      assert.equal(outcomes.length, 2);
      assert.ok(outcomes.every(ends), JSON.stringify(outcomes));
    });
  }

  it("that fills its heap exceeds, and its other calls are answered", async () => {
    const text = "function f(x) { if (x === 2) for (const all = [];;) all.push(new Array(1000).fill(x)); return x }";
    const { outcomes } = await run(text, [[1], [2], [3]], 100_000_000);
    assert.deepEqual(outcomes, [
      { kind: "returned", value: 1 },
      { kind: "exceeded", code: "SANDBOX_HEAP_EXCEEDED" },
      { kind: "returned", value: 3 },
    ]);
  });

  it("that cannot be stopped costs its cell, and nobody else an outcome", async () => {
    // The rail looks at the length once, the built-in looks again; V8 cannot interrupt this one.
    const stuck =
      "let looks = 0; Array.prototype.every.call({ get length() { return looks++ === 0 ? 1 : 2 ** 53 - 1 } }, Boolean)";
    const text = `function f(x) { if (x === 2) { ${stuck} } return x }`;
    const honest = Array.from({ length: 20 }, async (_, index) => await values(`const f = (x) => x + ${index}`, [[1]]));
    const { outcomes } = await run(text, [[1], [2], [3]]);
    assert.deepEqual(outcomes, [
      { kind: "returned", value: 1 },
      { kind: "exceeded", code: "SANDBOX_CELL_LOST" },
      { kind: "returned", value: 3 },
    ]);
    assert.deepEqual(
      (await Promise.all(honest)).flat(),
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
  });

  it("that exceeds twice is not asked a third time", async () => {
    const text = "function f() { for (const all = [];;) all.push(new Array(1000).fill(1)) }";
    const { outcomes } = await run(
      text,
      Array.from({ length: 30 }, () => []),
      100_000_000,
    );
    assert.ok(outcomes.every((outcome) => outcome.kind === "exceeded" && outcome.code === "SANDBOX_HEAP_EXCEEDED"));
  });
});

describe("a runner", () => {
  const failsWith = (code: string) => (error: unknown) =>
    (error instanceof EvolutionError || error instanceof SandboxError) && error.code === code;

  it("refuses options, names and fuel that it cannot keep", async () => {
    await assert.rejects(openRunner({ workers: 0 }), failsWith("EVOLUTION_OPTIONS_INVALID"));
    await assert.rejects(openRunner({ workers: 1, heapMb: 1 }), failsWith("EVOLUTION_OPTIONS_INVALID"));
    const invalid = failsWith("EVOLUTION_OPTIONS_INVALID");
    await assert.rejects(runner.run({ text: "", entry: "a b" }, [[]], { fuel: 1 }), invalid);
    await assert.rejects(runner.run({ text: "", entry: "f" }, [[]], { fuel: 0 }), invalid);
    await assert.rejects(runner.run({ text: "", entry: "f" }, [[]], { fuel: NaN }), invalid);
  });

  it("refuses arguments that cannot be copied", async () => {
    await assert.rejects(run("const f = () => 1", [[() => 1]]), failsWith("SANDBOX_VALUE_UNCLONABLE"));
  });

  it("lets go at once when its caller does, also of what runs", async () => {
    const reason = new Error("enough");
    const running = new AbortController();
    const first = runner.run({ text: "function f() { for (;;); }", entry: "f" }, [[]], {
      fuel: 50_000_000,
      signal: running.signal,
    });
    const waiting = runner.run({ text: "const f = () => 1", entry: "f" }, [[]], { fuel: 1, signal: running.signal });
    running.abort(reason);
    await assert.rejects(first, reason);
    await assert.rejects(waiting, reason);
    await assert.rejects(runner.run({ text: "", entry: "f" }, [], { fuel: 1, signal: running.signal }), reason);
    assert.deepEqual(await values("const f = (x) => x", [[1]]), [1]);
  });

  it("that is closed leaves no process behind, and whoever waits is told", async () => {
    const own = await openRunner({ workers: 2 });
    const { pids } = own;
    assert.equal(pids.length, 2);
    const waiting = own.run({ text: "function f() { for (;;); }", entry: "f" }, [[]], { fuel: 900_000_000 });
    const rejected = assert.rejects(waiting, failsWith("EVOLUTION_CLOSED"));
    await own[Symbol.asyncDispose]();
    await rejected;
    await assert.rejects(own.run({ text: "", entry: "f" }, [], { fuel: 1 }), failsWith("EVOLUTION_CLOSED"));
    await until(() => !pids.some(isRunning));
  });
});
