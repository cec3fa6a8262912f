/**
 * When a cron pattern falls due. The only importer of croner, of which we use the calendar alone: no job of it ever runs, and
 * it never reads the clock, because every question says from when.
 */
import { Cron } from "croner";
import { RuntimeError } from "./errors.ts";

/** A pattern and the zone whose wall clock it means. */
export interface CronTime {
  readonly pattern: string;
  /** An IANA name. */
  readonly timeZone: string;
}

/** Patterns that are kept parsed; reading one costs about a tenth of a millisecond. */
const PARSED_MAX = 256;
const parsed = new Map<string, Cron>();

/**
 * The first due time after `afterMs`, in ms since 1970; undefined when there is none.
 * Throws RUNTIME_CRON_INVALID for a pattern or zone that cannot be read.
 */
export function cronAfter(time: CronTime, afterMs: number): number | undefined {
  return guarded(time, (cron) => cron.nextRun(new Date(afterMs))?.getTime());
}

/**
 * The newest `count` due times up to and including `atMs`, oldest first.
 * Throws RUNTIME_CRON_INVALID for a pattern or zone that cannot be read.
 */
export function cronBefore(time: CronTime, atMs: number, count: number): readonly number[] {
  // croner counts whole seconds, and what lies before the one it is given.
  const behind = new Date(Math.floor(atMs / 1000) * 1000 + 1000);
  return guarded(time, (cron) => cron.previousRuns(count, behind).map((date) => date.getTime())).toReversed();
}

function guarded<T>(time: CronTime, ask: (cron: Cron) => T): T {
  try {
    return ask(cronOf(time));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `"${time.pattern}" (${time.timeZone}) is no cron pattern: ${why}`;
    throw new RuntimeError("RUNTIME_CRON_INVALID", message, { cause, details: { ...time } });
  }
}

function cronOf({ pattern, timeZone }: CronTime): Cron {
  const key = `${timeZone}\n${pattern}`;
  const known = parsed.get(key);
  if (known !== undefined) return known;
  const cron = new Cron(pattern, { timezone: timeZone, paused: true });
  if (parsed.size >= PARSED_MAX) parsed.clear();
  parsed.set(key, cron);
  return cron;
}
