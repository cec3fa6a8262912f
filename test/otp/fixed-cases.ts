/**
 * Cases that stay: one for each rule of OTP that is easy to get wrong, and one for each difference that was ever found.
 * Each line of `test/fixtures/supervision/*.jsonl` is `{ title, case, trace }`, where the trace is what real OTP did.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { SimCase, Trace } from "./case.ts";

/** Where they are kept. */
export const FOLDER: string = join(import.meta.dirname, "..", "fixtures", "supervision");

/** A case with the trace that it must give. */
export interface FixedCase {
  readonly title: string;
  readonly case: SimCase;
  readonly trace: Trace;
}

/** All of them, file by file. */
export function fixedCases(): FixedCase[] {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith(".jsonl"));
  return files.flatMap((name) => {
    const lines = readFileSync(join(FOLDER, name), "utf8").trimEnd().split("\n");
    // The cast: the lines are written by `record.ts` from what the reference gave.
    return lines.map((line) => JSON.parse(line) as FixedCase);
  });
}
