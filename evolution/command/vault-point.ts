/**
 * Points in an agent's past as they are typed: `clean` (a label), `seq:17`, `time:2026-11-21T10:00:00Z`, `-10m`. A label that
 * looks like one of the others is written `label:seq:17`.
 */
import type { Point } from "../../vault/index.ts";

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The point that `text` names, seen from the instant `nowMs`; undefined when it names none. */
export function pointOf(text: string, nowMs: number): Point | undefined {
  const [, kind, rest = ""] = /^(seq|time|label):(.*)$/s.exec(text) ?? [];
  const [, count, unit = ""] = /^-(\d+)(ms|s|m|h|d)$/.exec(text) ?? [];
  if (kind === "label") return rest === "" ? undefined : { label: rest };
  if (kind === "seq") return /^\d+$/.test(rest) ? { seq: Number(rest) } : undefined;
  if (kind === "time") {
    const timeMs = Date.parse(rest);
    return Number.isNaN(timeMs) ? undefined : { timeMs };
  }
  if (count !== undefined) return { timeMs: nowMs - Number(count) * (UNIT_MS[unit] ?? 0) };
  return text === "" || text.startsWith("-") ? undefined : { label: text };
}
