/**
 * The evaluator's local optimiser: from a layout to the packing at the top of its own hill. It is no search: centres and
 * radii move together, uphill only, so that the search compares layouts at their best.
 *
 *   maximise  sum r   subject to   |p - q| >= r + s for each pair,   r <= x <= 1 - r,   r <= y <= 1 - r
 *
 * 1. A distance is convex in the centres, so it is never below its tangent: whatever keeps the linearised constraints keeps
 *    the true ones (the convex-concave procedure, Yuille and Rangarajan 2003). Every point on the way is strictly feasible.
 * 2. Each linear programme gets one primal-dual interior-point step (Nocedal and Wright, Numerical Optimization, 2nd ed.,
 *    14.1 and 19.1) before its constraints are taken anew; at a vertex, as all these optima are, that converges as fast
 *    as Newton's method does.
 */
import assert from "node:assert/strict";
import { factorise, solveInPlace } from "./cholesky.ts";
import { constraintsOf, measure, type Constraints } from "./constraints.ts";
import type { Packing } from "./packing.ts";

/** How far to go. */
export interface RefineOptions {
  /** Ends when the sum is within about this, times the number of constraints, of the hill's top. */
  readonly muEnd: number;
  readonly stepsMax: number;
}

/** Share of the way to the nearest border that one step may take (Nocedal and Wright, 19.9). */
const BOUNDARY_SHARE = 0.98;
/** Weight of the barrier at the start, for radii of about 0.1. */
const MU_START = 3e-3;
/** How much the weight falls after a step that went far. */
const MU_FALL = 0.15;
/** How far two equal centres are moved apart, at least. */
const NUDGE = 1e-6;
/** Added to the diagonal: a circle that nothing holds has no place of its own. */
const SHIFT = 1e-12;

/** Of the gap that the last weight of the barrier stands for. */
const GAP_FACTOR = 2;

interface Work {
  readonly point: Packing;
  readonly constraints: Constraints;
  readonly multipliers: Float64Array;
  readonly step: Float64Array;
  readonly matrix: Float64Array;
}

/** The packing of a layout's hill: strictly feasible, with radii as large as they go there. The layout's radii are not used. */
export function refine(layout: Packing, { muEnd, stepsMax }: RefineOptions): Packing {
  const point = feasibleStart(layout);
  const constraints = constraintsOf(point.length / 3);
  measure(point, constraints);
  const multipliers = constraints.values.map((value) => MU_START / value);
  const step = new Float64Array(point.length);
  const work: Work = { point, constraints, multipliers, step, matrix: new Float64Array(step.length ** 2) };
  let mu = MU_START;
  for (let steps = 0; steps < stepsMax; steps++) {
    newtonStep(work, mu);
    const share = takeStep(work, mu);
    if (share < 0.7) continue;
    if (mu <= muEnd && gapOf(work) <= GAP_FACTOR * muEnd * multipliers.length) break;
    mu = Math.max(muEnd, Math.min(mu * MU_FALL, mu ** 1.5));
  }
  return point;
}

/** Centres well inside, no two the same, and radii of nine tenths of half the way to whatever is nearest. */
function feasibleStart(layout: Packing): Packing {
  const point = layout.slice();
  for (let at = 0; at < point.length; at++) {
    // Centres that fall together are told apart by a small spiral (the golden angle), so that a pair has a direction.
    const nudge = NUDGE * (1 + at) * Math.cos(2.4 * Math.floor(at / 3) + (at % 3) * (Math.PI / 2));
    point[at] = Math.min(0.99, Math.max(0.01, point[at]!)) + nudge;
  }
  for (let i = 0; i < point.length; i += 3) {
    const [x, y] = [point[i]!, point[i + 1]!];
    let room = 2 * Math.min(x, y, 1 - x, 1 - y);
    for (let j = 0; j < point.length; j += 3)
      if (j !== i) room = Math.min(room, Math.hypot(x - point[j]!, y - point[j + 1]!));
    point[i + 2] = 0.45 * room;
  }
  return point;
}

/** Solves J^T (lambda / c) J step = e_r + mu J^T (1 / c). */
function newtonStep({ constraints, multipliers, step, matrix }: Work, mu: number): void {
  const { values, slopes, variables, width } = constraints;
  const size = step.length;
  matrix.fill(0);
  for (let at = 0; at < size; at++) {
    matrix[at * size + at] = SHIFT;
    step[at] = at % 3 === 2 ? 1 : 0;
  }
  for (let k = 0; k < values.length; k++) {
    const weight = multipliers[k]! / values[k]!;
    const pull = mu / values[k]!;
    for (let a = k * width; a < (k + 1) * width; a++) {
      const row = variables[a]!;
      if (row < 0) break;
      step[row]! += pull * slopes[a]!;
      const weighted = weight * slopes[a]!;
      // Variables of a constraint fall from its first circle to its second: the lower half is what comes at or before.
      for (let b = k * width; b < (k + 1) * width; b++) {
        const column = variables[b]!;
        if (column < 0) break;
        if (column <= row) matrix[row * size + column]! += weighted * slopes[b]!;
      }
    }
  }
  assert.ok(factorise(matrix, size), "a step was asked for at a point that is not inside");
  solveInPlace(matrix, step);
}

/** Moves point and multipliers, each as far as it stays positive; gives the smaller share of the two. */
function takeStep({ point, constraints, multipliers, step }: Work, mu: number): number {
  const { values } = constraints;
  const change = changeOf(constraints, step);
  const turn = new Float64Array(values.length);
  let along = 1;
  let turning = 1;
  for (let k = 0; k < values.length; k++) {
    const [value, lambda] = [values[k]!, multipliers[k]!];
    turn[k] = (mu - lambda * change[k]!) / value - lambda;
    if (change[k]! < 0) along = Math.min(along, (-BOUNDARY_SHARE * value) / change[k]!);
    if (turn[k]! < 0) turning = Math.min(turning, (-BOUNDARY_SHARE * lambda) / turn[k]!);
  }
  for (let at = 0; at < point.length; at++) point[at]! += along * step[at]!;
  for (let k = 0; k < values.length; k++) multipliers[k]! += turning * turn[k]!;
  measure(point, constraints);
  return Math.min(along, turning);
}

/** What a linear programme in these multipliers could still gain. */
function gapOf({ constraints: { values }, multipliers }: Work): number {
  return values.reduce((sum, value, k) => sum + value * multipliers[k]!, 0);
}

/** By how much the step changes each constraint, along its tangent. */
function changeOf({ values, variables, slopes, width }: Constraints, step: Float64Array): Float64Array {
  const change = new Float64Array(values.length);
  for (let k = 0; k < values.length; k++)
    for (let a = k * width; a < (k + 1) * width; a++) {
      const at = variables[a]!;
      if (at < 0) break;
      change[k]! += slopes[a]! * step[at]!;
    }
  return change;
}
