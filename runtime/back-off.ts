/**
 * How long to wait between two tries at a start that failed: 50 ms, doubled with each failure in a row up to 5 s, and
 * spread by half in both directions, so that agents which failed together do not try again together. The first restart is
 * none of these: it comes at once.
 *
 * The rule is gRPC's (grpc/grpc doc/connection-backoff.md: the bound applies before the jitter), with our numbers.
 */
import type { Random } from "./random.ts";

/** The first wait, in ms. */
export const BACK_OFF_MS = 50;
/** What waits grow to, before the jitter, in ms. */
export const BACK_OFF_MS_MAX = 5_000;
/** The share by which a wait is shorter or longer. */
export const BACK_OFF_JITTER = 0.5;

/** Milliseconds to wait after `failures` failed tries in a row. None failed: 0, and nothing is drawn. */
export function backOffMs(failures: number, random: Random): number {
  if (failures < 1) return 0;
  const waitMs = Math.min(BACK_OFF_MS_MAX, BACK_OFF_MS * 2 ** (failures - 1));
  const chance = random.next32() / 2 ** 32; // 0 up to, but not including, 1
  return waitMs * (1 + BACK_OFF_JITTER * (2 * chance - 1));
}
