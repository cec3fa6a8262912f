/** The special functions against closed forms, exact sums in whole numbers, and their own symmetries. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  binomialTail,
  logBeta,
  logBetaKernel,
  logGamma,
  logIncompleteBeta,
  normalCdf,
} from "../../../evolution/statistics/special.ts";
import { assertSame } from "./simulation.ts";

/** P(at least k of n) for p = numerator / denominator, in whole numbers to the last division. */
function exactTail(k: number, n: number, [numerator, denominator]: readonly [number, number]): number {
  let sum = 0n;
  let choose = 1n;
  for (let i = 0; i <= n; i++) {
    if (i >= k) sum += choose * BigInt(numerator) ** BigInt(i) * BigInt(denominator - numerator) ** BigInt(n - i);
    choose = (choose * BigInt(n - i)) / BigInt(i + 1);
  }
  return Number((sum * 10n ** 40n) / BigInt(denominator) ** BigInt(n)) / 1e40;
}

describe("logGamma and logBeta", () => {
  for (const [x, expected] of [
    [1, 0],
    [2, 0],
    [0.5, Math.log(Math.PI) / 2],
    [1.5, Math.log(Math.PI) / 2 - Math.LN2],
    [11, Math.log(3_628_800)],
    [171, 706.5730622457874], // ln 170!
    [1e-10, 23.02585092988273], // -ln x - 0.5772… x
    [1e9, 19723265827.503716], // C's lgamma
  ] as const)
    it(`logGamma(${x}) is ${expected}`, () => assertSame(logGamma(x), expected, 13));

  it("logGamma(x + 1) is logGamma(x) + ln x, for small and large x", () => {
    for (const x of [1e-5, 0.3, 1, 7.7, 15.9, 16, 1e3, 1e6]) assertSame(logGamma(x + 1), logGamma(x) + Math.log(x), 13);
  });

  it("logBeta has its closed forms, and is symmetric", () => {
    assertSame(logBeta(1, 1), 0);
    assertSame(logBeta(3, 4), -Math.log(60));
    assertSame(logBeta(0.5, 0.5), Math.log(Math.PI));
    assertSame(logBeta(1, 1e9), -Math.log(1e9));
    for (const [a, b] of [
      [1e-3, 5],
      [2, 1e9],
      [1e8, 1e9],
    ] as const)
      assert.equal(logBeta(a, b), logBeta(b, a));
  });

  it("arguments at 0, below it, infinite or NaN are refused", () => {
    for (const x of [0, -1, Infinity, Number.NaN]) {
      assert.throws(() => logGamma(x), RangeError);
      assert.throws(() => logBeta(x, 1), RangeError);
      assert.throws(() => logBeta(1, x), RangeError);
    }
  });
});

describe("the incomplete beta function", () => {
  it("is x for a = b = 1, x^a for b = 1, and 1 - (1-x)^b for a = 1", () => {
    for (const x of [1e-9, 0.1, 0.5, 0.9, 1 - 1e-9]) {
      assertSame(logIncompleteBeta(x, 1, 1), Math.log(x));
      assertSame(logIncompleteBeta(x, 7, 1), 7 * Math.log(x));
      assertSame(logIncompleteBeta(x, 1, 7), Math.log(-Math.expm1(7 * Math.log1p(-x))));
    }
  });

  it("adds up to 1 with the other tail", () => {
    for (const [x, a, b] of [
      [0.3, 2, 3],
      [0.01, 0.5, 30],
      [0.5, 100, 110],
      [0.2, 1e5, 4e5],
    ] as const)
      assertSame(Math.exp(logIncompleteBeta(x, a, b)) + Math.exp(logIncompleteBeta(1 - x, b, a)), 1, 11);
  });

  it("is one half at the middle of a symmetric one, up to counts of 1e9", () => {
    for (const a of [1, 10, 1e3, 1e6, 1e9]) assertSame(logIncompleteBeta(0.5, a, a), -Math.LN2, 10);
  });

  it("far out in the tail keeps its logarithm, where the probability itself would be 0", () => {
    assertSame(logIncompleteBeta(0.5, 1e9, 1), 1e9 * Math.log(0.5));
    assertSame(logIncompleteBeta(1e-20, 1e9, 1), 1e9 * Math.log(1e-20));
    assert.equal(logIncompleteBeta(0.5, 1, 1e9), 0);
  });

  it("is 0 at x = 0 and 1 at x = 1", () => {
    assert.equal(logIncompleteBeta(0, 2, 3), -Infinity);
    assert.equal(logIncompleteBeta(1, 2, 3), 0);
  });

  it("rises in x without a step where the two ways of computing it meet", () => {
    for (const [a, b] of [
      [3, 8],
      [500, 20],
      [0.1, 0.1],
      [1e4, 1e4],
    ] as const) {
      const meet = (a + 1) / (a + b + 2);
      const below = logIncompleteBeta(meet - 1e-9, a, b);
      const above = logIncompleteBeta(meet + 1e-9, a, b);
      assert.ok(above > below && above - below < 1e-5, `${a}, ${b}: ${below} to ${above}`);
    }
  });

  it("its derivative is the kernel over x (1 - x)", () => {
    const [x, a, b, step] = [0.37, 12, 21, 1e-5];
    const slope = Math.exp(logIncompleteBeta(x + step, a, b)) - Math.exp(logIncompleteBeta(x - step, a, b));
    assertSame(slope / (2 * step), Math.exp(logBetaKernel(x, a, b)) / (x * (1 - x)), 7);
  });

  it("what is out of range is refused", () => {
    for (const [x, a, b] of [
      [-0.1, 1, 1],
      [1.1, 1, 1],
      [Number.NaN, 1, 1],
      [0.5, 0, 1],
      [0.5, 1, -1],
      [0.5, Infinity, 1],
    ] as const)
      assert.throws(() => logIncompleteBeta(x, a, b), RangeError);
    assert.throws(() => logBetaKernel(0, 1, 1), RangeError);
  });
});

describe("the binomial tail", () => {
  it("equals the sum in whole numbers", () => {
    for (const [k, n, p] of [
      [10, 10, [1, 2]],
      [30, 50, [1, 2]],
      [1, 300, [1, 100]],
      [7, 300, [1, 100]],
      [60, 1_000, [1, 20]],
      [999, 1_000, [99, 100]],
    ] as const) {
      const expected = exactTail(k, n, p);
      assertSame(binomialTail(k, n, p[0] / p[1]) / expected, 1, 10);
    }
  });

  it("is certain for nothing, impossible for more than all", () => {
    assert.equal(binomialTail(0, 10, 0.5), 1);
    assert.equal(binomialTail(-3, 10, 0.5), 1);
    assert.equal(binomialTail(11, 10, 0.5), 0);
    assert.equal(binomialTail(1, 10, 0), 0);
    assert.equal(binomialTail(10, 10, 1), 1);
  });

  it("what is no count and no probability is refused", () => {
    assert.throws(() => binomialTail(1.5, 10, 0.5), RangeError);
    assert.throws(() => binomialTail(1, -1, 0.5), RangeError);
    assert.throws(() => binomialTail(1, 10, 1.1), RangeError);
  });
});

describe("the normal distribution", () => {
  for (const [z, expected] of [
    [0, 0.5],
    [1, 0.8413447460685429],
    [1.959963984540054, 0.975],
    [-1.2815515655446004, 0.1],
    [-5, 2.866515718791939e-7],
    [-10, 7.619853024160527e-24],
    [-Infinity, 0],
    [Infinity, 1],
  ] as const)
    it(`at ${z} is ${expected}`, () => {
      if (expected === 0) assert.equal(normalCdf(z), 0);
      else assertSame(normalCdf(z) / expected, 1, 12);
    });

  it("is symmetric, and has no step at 3 where two ways of computing it meet", () => {
    for (const z of [0.1, 1, 2.9, 3, 3.1, 6]) assertSame(normalCdf(z) + normalCdf(-z), 1, 15);
    const density = Math.exp(-4.5) / Math.sqrt(2 * Math.PI);
    assertSame((normalCdf(-3 + 1e-7) - normalCdf(-3 - 1e-7)) / 2e-7 / density, 1, 6);
  });

  it("NaN is refused", () => assert.throws(() => normalCdf(Number.NaN), RangeError));
});
