/**
 * Circles in the unit square, and the judge that says whether they overlap: no tolerance, no rounding.
 *
 * Every double is a whole number times a power of two, so each border and each pair is compared in whole numbers
 * (BigInt). What passes here is feasible as a matter of arithmetic, whatever the last bit of a square root says.
 */

/** x, y and radius of circle i at 3 i, 3 i + 1, 3 i + 2. */
export type Packing = Float64Array;

/** What the judge says. `sum` is the sum of radii, as doubles add up from the first circle on. */
export interface Verdict {
  readonly isFeasible: boolean;
  readonly sum: number;
  /** The first breach found, in words. */
  readonly breach?: string;
}

/** Scale on which all doubles of at least 2^-60 with 53 bits are whole; smaller parts are refused. */
const SCALE_BITS = 120;
const ONE = 1n << BigInt(SCALE_BITS);

/** Judges a packing exactly: every circle has a radius above 0, lies within the unit square, and no two overlap. */
export function judge(packing: Packing): Verdict {
  const sum = sumOfRadii(packing);
  const breach = firstBreach(packing);
  return breach === undefined ? { isFeasible: true, sum } : { isFeasible: false, sum, breach };
}

/** The sum of radii. */
export function sumOfRadii(packing: Packing): number {
  let sum = 0;
  for (let at = 2; at < packing.length; at += 3) sum += packing[at] ?? 0;
  return sum;
}

/**
 * The packing with every radius made smaller by the worst violation (as doubles see it) and a few last bits more, until
 * the exact judge is content. Undefined where that does not help: the packing was no packing.
 */
export function shrunk(packing: Packing): Packing | undefined {
  let excess = Math.max(0, worstViolation(packing));
  for (let attempt = 0; attempt < 40; attempt++) {
    const smaller = packing.map((value, at) => (at % 3 === 2 ? value - excess : value));
    if (judge(smaller).isFeasible) return smaller;
    excess = excess * 2 + Number.EPSILON / 4;
  }
  return undefined;
}

/** How far the worst border or pair is over, in units of length; below 0 all have room. In doubles: a guide, no verdict. */
export function worstViolation(packing: Packing): number {
  let worst = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < packing.length; i += 3) {
    const [x, y, r] = circleAt(packing, i);
    worst = Math.max(worst, r - x, r - y, r + x - 1, r + y - 1);
    for (let j = i + 3; j < packing.length; j += 3) {
      const [u, v, s] = circleAt(packing, j);
      // Of two circles that overlap each gives half.
      worst = Math.max(worst, (r + s - Math.hypot(x - u, y - v)) / 2);
    }
  }
  return worst;
}

function firstBreach(packing: Packing): string | undefined {
  if (packing.length === 0 || packing.length % 3 !== 0) return "this is no list of circles";
  const exact: bigint[] = [];
  for (const value of packing) {
    const whole = wholeOf(value);
    if (whole === undefined) return `${value} is no number between 2^-60 and 2`;
    exact.push(whole);
  }
  for (let i = 0; i < exact.length; i += 3) {
    const [x, y, r] = exactAt(exact, i);
    if (r <= 0n) return `circle ${i / 3} has no radius`;
    if (r > x || r > y || x + r > ONE || y + r > ONE) return `circle ${i / 3} crosses the border`;
    for (let j = 0; j < i; j += 3) {
      const [u, v, s] = exactAt(exact, j);
      if ((x - u) ** 2n + (y - v) ** 2n < (r + s) ** 2n) return `circles ${j / 3} and ${i / 3} overlap`;
    }
  }
  return undefined;
}

function circleAt(packing: Packing, at: number): readonly [number, number, number] {
  return [packing[at] ?? 0, packing[at + 1] ?? 0, packing[at + 2] ?? 0];
}

function exactAt(exact: readonly bigint[], at: number): readonly [bigint, bigint, bigint] {
  return [exact[at] ?? 0n, exact[at + 1] ?? 0n, exact[at + 2] ?? 0n];
}

/** The value times 2^120: exact, as scaling by a power of two only moves the exponent. */
function wholeOf(value: number): bigint | undefined {
  if (!Number.isFinite(value) || Math.abs(value) > 2 || (value !== 0 && Math.abs(value) < 2 ** -60)) return undefined;
  return BigInt(value * 2 ** SCALE_BITS);
}
