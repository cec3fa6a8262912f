/**
 * The special functions behind the tests: gamma, beta, incomplete beta, normal distribution, binomial tail.
 *
 * 1. Logarithms throughout, and no difference of two large logarithms: what would cancel is cancelled by hand, so
 *    counts of 1e9 lose no more digits than counts of 10.
 * 2. Every loop has a bound with a name, and a result that needs more throws instead of being quietly wrong.
 *
 * Sources: NIST Digital Library of Mathematical Functions (DLMF) 5.11.1 (Stirling's series), 8.17.22 (continued
 * fraction of the incomplete beta function), 7.9 (of the normal tail); Lentz's evaluation as modified by Thompson and
 * Barnett (1986); Loader, "Fast and accurate computation of binomial probabilities" (2000), for the form of the beta
 * kernel.
 */
import { between, count, within } from "./range.ts";

/** Enough for counts of 1e9 at the slowest place, next to the mean, where it grows like their root. */
const FRACTION_STEPS_MAX = 2_000_000;
/** Terms of Marsaglia's series up to 3 standard deviations, and of the continued fraction beyond. */
const NORMAL_TERMS_MAX = 200;
const PRECISION = 1e-16;
/** Stands for zero in a denominator. */
const TINY = 1e-300;
const HALF_LOG_TWO_PI = 0.5 * Math.log(2 * Math.PI);

/**
 * Natural logarithm of the gamma function at `x` > 0. RangeError elsewhere. Absolute error about 1e-15 times 1 +
 * |result|.
 */
export function logGamma(x: number): number {
  between("logGamma's argument", x, 0, Infinity);
  return (x - 0.5) * Math.log(x) - x + HALF_LOG_TWO_PI + stirlingError(x);
}

/** Natural logarithm of the beta function B(a, b), for a, b > 0. RangeError elsewhere. */
export function logBeta(a: number, b: number): number {
  const larger = Math.max(a, b);
  const smaller = Math.min(a, b);
  between("logBeta's smaller argument", smaller, 0, Infinity);
  between("logBeta's larger argument", larger, 0, Infinity);
  // (a - 1/2) ln a + (b - 1/2) ln b - (a + b - 1/2) ln(a + b), written so that nothing large is subtracted.
  const powers = (smaller - 0.5) * -Math.log1p(larger / smaller) - larger * Math.log1p(smaller / larger);
  const errors = stirlingError(larger) + stirlingError(smaller) - stirlingError(larger + smaller);
  return powers - 0.5 * Math.log(larger) + HALF_LOG_TWO_PI + errors;
}

/**
 * Natural logarithm of x^a (1-x)^b / B(a, b), for 0 < x < 1 and a, b > 0. Near its peak both factors are e to the minus
 * millions; what is left when they meet is written as the distance from the peak.
 */
export function logBetaKernel(x: number, a: number, b: number): number {
  between("the place of a beta kernel", x, 0, 1);
  const sum = a + b;
  const errors = stirlingError(sum) - stirlingError(a) - stirlingError(b);
  const offset = x * sum - a; // x against the peak a / (a + b), in counts
  const fall = a * log1pMinus(offset / a, (x * sum) / a) + b * log1pMinus(-offset / b, ((1 - x) * sum) / b);
  return fall + 0.5 * (Math.log(a) + Math.log(b) - Math.log(sum)) - HALF_LOG_TWO_PI + errors;
}

/**
 * Natural logarithm of the regularised incomplete beta function I_x(a, b): the probability that a Beta(a, b) variable
 * is at most `x`. For 0 <= x <= 1 and a, b > 0; RangeError elsewhere. From -Infinity (x = 0) to 0.
 */
export function logIncompleteBeta(x: number, a: number, b: number): number {
  within("x of the incomplete beta function", x, 0, 1);
  between("a of the incomplete beta function", a, 0, Infinity);
  between("b of the incomplete beta function", b, 0, Infinity);
  if (x === 0) return -Infinity;
  if (x === 1) return 0;
  if (x <= (a + 1) / (a + b + 2)) return Math.min(0, logBetaKernel(x, a, b) - Math.log(a) + logFraction(x, a, b));
  const other = logBetaKernel(x, a, b) - Math.log(b) + logFraction(1 - x, b, a);
  return Math.log1p(-Math.min(1, Math.exp(other))) + 0; // 0, not -0
}

/** Probability that a standard normal variable is at most `z`; small tails keep their relative precision. */
export function normalCdf(z: number): number {
  within("a normal variable", z, -Infinity, Infinity);
  if (z > 3) return 1 - normalCdf(-z);
  return z < -3 ? normalTail(-z) : normalCentre(z);
}

/**
 * Probability of at least `successes` in `trials` independent tries that each succeed with `probability` (0 to 1).
 * Exact up to rounding, for any counts.
 */
export function binomialTail(successes: number, trials: number, probability: number): number {
  count("trials", trials);
  within("probability", probability, 0, 1);
  if (!Number.isSafeInteger(successes)) throw new RangeError(`successes is ${successes}: it must be a whole number`);
  if (successes <= 0) return 1;
  if (successes > trials) return 0;
  return Math.exp(logIncompleteBeta(probability, successes, trials - successes + 1));
}

/** What Stirling's formula leaves out: ln gamma(z) - ((z - 1/2) ln z - z + ln(2 pi) / 2). */
function stirlingError(z: number): number {
  let shifted = z;
  let error = 0;
  for (; shifted < 16; shifted++) error += (shifted + 0.5) * (Math.log(shifted + 1) - Math.log(shifted)) - 1;
  const r = 1 / shifted;
  const s = r * r;
  // Bernoulli numbers over 2k (2k - 1), DLMF 5.11.1; the sixth is below 1e-16 from 16 on.
  return error + r * (1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s * (1 / 1188 - (s * 691) / 360_360)))));
}

/** ln(1 + u) - u, precise near 0; `sum` is 1 + u as the caller knows it, precise where u is almost -1. */
function log1pMinus(u: number, sum: number): number {
  if (Math.abs(u) > 0.5) return Math.log(sum) - u;
  const r = u / (2 + u); // ln(1 + u) = 2 artanh r
  const square = r * r;
  let series = 0;
  let power = 1;
  for (let odd = 3; power > PRECISION; odd += 2) {
    series += power / odd;
    power *= square;
  }
  return r * (2 * square * series - u);
}

/** Logarithm of the continued fraction of I_x(a, b), DLMF 8.17.22; quick for x <= (a + 1) / (a + b + 2). */
function logFraction(x: number, a: number, b: number): number {
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= FRACTION_STEPS_MAX; m++) {
    const even = ((m * (b - m)) / (a + 2 * m - 1)) * (x / (a + 2 * m));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    fraction *= d * c;
    const odd = -((a + m) / (a + 2 * m)) * (((a + b + m) * x) / (a + 2 * m + 1));
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 4 * PRECISION) return Math.log(fraction);
  }
  throw new RangeError(`I_${x}(${a}, ${b}) needs more than ${FRACTION_STEPS_MAX} steps: count in larger units`);
}

function away(value: number): number {
  return Math.abs(value) < TINY ? TINY : value;
}

/** Marsaglia, "Evaluating the normal distribution", 2004: 1/2 + density (z + z^3/3 + z^5/15 + …). */
function normalCentre(z: number): number {
  let term = z;
  let sum = z;
  for (let odd = 3; odd < 2 * NORMAL_TERMS_MAX && Math.abs(term) > PRECISION * Math.abs(sum); odd += 2) {
    term *= (z * z) / odd;
    sum += term;
  }
  return 0.5 + sum * Math.exp(-0.5 * z * z - HALF_LOG_TWO_PI);
}

/** Laplace's continued fraction, from its far end. */
function normalTail(z: number): number {
  if (z === Infinity) return 0;
  let denominator = z;
  for (let n = NORMAL_TERMS_MAX; n >= 1; n--) denominator = z + n / denominator;
  return Math.exp(-0.5 * z * z - HALF_LOG_TWO_PI) / denominator;
}
