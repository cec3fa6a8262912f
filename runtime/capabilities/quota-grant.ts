/** What every grant may say beside its capability's own parameters: `quota`. All of it has defaults. */
import { z } from "zod";
import type { CapabilityQuota } from "./contract.ts";

const count = (max: number): z.ZodNumber => z.number().int().min(1).max(max);

const schema = z
  .strictObject({
    callsPerTurn: count(65_536).optional(), // what a cell accepts
    callsPerMinute: count(1_000_000).optional(),
    concurrency: count(10_000).optional(),
    timeoutMs: count(86_400_000).optional(),
    answerBytesMax: count(64 << 20).optional(), // as a reply
  })
  .optional();

/** What is wrong with a value, and where. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

/** The quota of a grant with its defaults, or what is wrong with it. */
export function quotaOf(input: unknown): { readonly quota: CapabilityQuota } | { readonly issues: readonly Issue[] } {
  const { success, data, error } = schema.safeParse(input);
  if (!success) return { issues: error.issues.map(({ path, message }) => ({ path: path.join("."), message })) };
  const { callsPerTurn, callsPerMinute, concurrency, timeoutMs, answerBytesMax } = data ?? {};
  const quota: CapabilityQuota = {
    callsPerTurn: callsPerTurn ?? 64, // a quarter of the questions that a turn may ask
    callsPerMinute: callsPerMinute ?? 600, // ten a second, all the time
    concurrency: concurrency ?? 8,
    answerBytesMax: answerBytesMax ?? 1 << 20, // as a message
  };
  return { quota: timeoutMs === undefined ? quota : { ...quota, timeoutMs } };
}
