/**
 * How often an agent may change: a rest after each roll-back, and so many promotions in a period. Pure: from what is on
 * record to whether a candidate may be tried now.
 *
 * A rest doubles with each roll-back in a row: what failed three times in a row is not helped by a fourth try at once. A
 * promotion that was confirmed, or stayed for another reason, ends the row.
 */
import type { VerdictCode } from "./errors.ts";
import { QUARANTINE_MS_MAX } from "./options.ts";
import type { ParsedArbiterOptions } from "./options.ts";

/** What became of one promotion of an agent. */
export interface Promotion {
  /** Wall time of the promotion. */
  readonly timeMs: number;
  /** Wall time at which it was rolled back; absent: it was not. */
  readonly rolledBackMs?: number;
  /** Its probation is not over: it says nothing yet. */
  readonly isOpen?: boolean;
}

/** Why no candidate is tried at the moment. */
export interface Rest {
  readonly code: Extract<VerdictCode, "EVOLUTION_QUARANTINED" | "EVOLUTION_PROMOTIONS_SPENT">;
  readonly reason: string;
  /** Wall time from which on one may be tried. */
  readonly untilMs: number;
}

type Limits = Pick<ParsedArbiterOptions, "quarantineMs" | "promotionsMax" | "promotionsPeriodMs">;

/** Why this agent's candidates are not tried at `nowMs`; `undefined` when they are. `promotions`: oldest first. */
export function restOf(promotions: readonly Promotion[], limits: Limits, nowMs: number): Rest | undefined {
  return quarantine(promotions, limits, nowMs) ?? spent(promotions, limits, nowMs);
}

function quarantine(promotions: readonly Promotion[], { quarantineMs }: Limits, nowMs: number): Rest | undefined {
  const over = promotions.filter(({ isOpen }) => isOpen !== true);
  const row = over.length - 1 - over.findLastIndex(({ rolledBackMs }) => rolledBackMs === undefined);
  const lastMs = Math.max(...over.map(({ rolledBackMs }) => rolledBackMs ?? 0), 0);
  if (row === 0) return undefined;
  // Two to the twentieth is more than the longest rest, whatever the first one.
  const restMs = Math.min(quarantineMs * 2 ** Math.min(row - 1, 20), QUARANTINE_MS_MAX);
  const untilMs = lastMs + restMs;
  if (nowMs >= untilMs) return undefined;
  const times = row === 1 ? "its last promotion was" : `its last ${row} promotions were`;
  return {
    code: "EVOLUTION_QUARANTINED",
    reason: `${times} rolled back; nothing is tried for it until ${timeText(untilMs)}`,
    untilMs,
  };
}

function spent(promotions: readonly Promotion[], limits: Limits, nowMs: number): Rest | undefined {
  const { promotionsMax, promotionsPeriodMs } = limits;
  const recent = promotions.filter(({ timeMs }) => timeMs > nowMs - promotionsPeriodMs);
  const oldest = recent.at(-promotionsMax);
  if (oldest === undefined) return undefined;
  const untilMs = oldest.timeMs + promotionsPeriodMs;
  const reason = `it was promoted ${recent.length} times within ${promotionsPeriodMs / 1_000} s, and promotionsMax is ${promotionsMax}; the next is tried from ${timeText(untilMs)} on`;
  return { code: "EVOLUTION_PROMOTIONS_SPENT", reason, untilMs };
}

function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
