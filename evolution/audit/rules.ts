/**
 * Three rules by which releases are commonly judged, for comparison with the arbiter: they are shown what such tools see of a
 * canary and of the version that serves (errors, time, and how right the answers were), each on requests of its own. Pure.
 *
 * - `threshold`: after a fixed number of requests, no more errors and no more time than so much. Flagger's metric analysis works
 *   like this (docs.flagger.app, "Metrics analysis": request-success-rate, request-duration).
 * - `oneLook`: one Mann-Whitney test per metric after a fixed number of requests, at 98 %, and only a difference beyond 25 % counts.
 *   Kayenta's default judge works like this (spinnaker/kayenta, NetflixACAJudge and MannWhitneyClassifier).
 * - `peeked`: a z-test at 95 % that is looked at every 50 requests and ends at the first significant look. Widely done by hand.
 */

/** What was seen of one version, request by request. */
export interface Arm {
  /** 1 for an error, 0 for an answer. */
  readonly errors: readonly number[];
  /** CPU time, in ms. */
  readonly cpuMs: readonly number[];
  /** How right answers were, of those that can be judged. */
  readonly fitness: readonly number[];
}

/** The version that serves and the one that would. */
export interface Arms {
  readonly champion: Arm;
  readonly candidate: Arm;
}

/** Errors in excess of the champion's that the threshold rule lets pass, as a share of requests. */
const ERRORS_MORE = 0.01;
/** Times the champion's 99th percentile of time that it lets pass. */
const TIME_MORE = 1.2;
/** Two-sided level of the one-look rule: Kayenta's confidence of 98 %. */
const ONE_LOOK_Z = 2.326;
/** Difference of means below which it shrugs, as a share. */
const TOLERANCE = 0.25;
/** One-sided 95 %. */
const PEEKED_Z = 1.645;
/** Requests between two looks. */
const PEEKED_EVERY = 50;

/** True when the rule would promote. */
export type Rule = (arms: Arms) => boolean;

/** All three. */
export const rules: Readonly<Record<"threshold" | "oneLook" | "peeked", Rule>> = { threshold, oneLook, peeked };

function threshold({ champion, candidate }: Arms): boolean {
  const hasErrors = mean(candidate.errors) > mean(champion.errors) + ERRORS_MORE;
  const isSlow = quantile(candidate.cpuMs, 0.99) > TIME_MORE * quantile(champion.cpuMs, 0.99);
  return !hasErrors && !isSlow && mean(candidate.fitness) >= mean(champion.fitness);
}

function oneLook({ champion, candidate }: Arms): boolean {
  const isHigher = (a: readonly number[], b: readonly number[]): boolean =>
    mannWhitneyZ(a, b) > ONE_LOOK_Z && mean(a) > mean(b) * (1 + TOLERANCE);
  if (isHigher(candidate.errors, champion.errors) || isHigher(candidate.cpuMs, champion.cpuMs)) return false;
  return mannWhitneyZ(champion.fitness, candidate.fitness) <= ONE_LOOK_Z;
}

function peeked({ champion, candidate }: Arms): boolean {
  const requests = Math.min(champion.errors.length, candidate.errors.length);
  for (let seen = PEEKED_EVERY; seen <= requests; seen += PEEKED_EVERY) {
    const share = seen / requests;
    const z = (of: (arm: Arm) => readonly number[]): number =>
      meansZ(first(of(candidate), share), first(of(champion), share));
    if (z((arm) => arm.errors) > PEEKED_Z || z((arm) => arm.cpuMs) > PEEKED_Z) return false;
    if (z((arm) => arm.fitness) > PEEKED_Z) return true;
    if (z((arm) => arm.fitness) < -PEEKED_Z) return false;
  }
  return true;
}

/**
 * The Mann-Whitney statistic of `a` over `b` as a standard normal deviate, corrected for ties and for continuity (Mann and
 * Whitney, 1947): positive when `a` tends to be larger. 0 where all values are equal.
 */
export function mannWhitneyZ(a: readonly number[], b: readonly number[]): number {
  const all = [...a.map((value) => ({ value, isA: true })), ...b.map((value) => ({ value, isA: false }))];
  all.sort((left, right) => left.value - right.value);
  let ranksOfA = 0;
  let ties = 0;
  for (let start = 0, end = 0; start < all.length; start = end) {
    while (end < all.length && all[end]?.value === all[start]?.value) end += 1;
    const rank = (start + 1 + end) / 2;
    for (let index = start; index < end; index++) if (all[index]?.isA === true) ranksOfA += rank;
    ties += (end - start) ** 3 - (end - start);
  }
  const [n, m] = [a.length, b.length];
  const variance = ((n * m) / 12) * (n + m + 1 - ties / ((n + m) * (n + m - 1)));
  if (!(variance > 0)) return 0;
  const distance = ranksOfA - (n * (n + 1)) / 2 - (n * m) / 2;
  return (Math.sign(distance) * Math.max(0, Math.abs(distance) - 0.5)) / Math.sqrt(variance);
}

function meansZ(a: readonly number[], b: readonly number[]): number {
  const spread = variance(a) / a.length + variance(b) / b.length;
  return spread > 0 ? (mean(a) - mean(b)) / Math.sqrt(spread) : 0;
}

function first(values: readonly number[], share: number): readonly number[] {
  return values.slice(0, Math.ceil(values.length * share));
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function variance(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const middle = mean(values);
  return values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
