/** What the comparison with test262 says in the report of the bench. */
import type { Findings, Tools } from "../suite.ts";
import { compareConformance } from "./conformance.ts";

/** Files of a whole run and of a quick one. */
const FILES = 8_000;
const FILES_QUICK = 2_500;
/** Differences that are listed. */
const LISTED = 50;

/** Compares where there is a copy of test262. */
export async function judgeConformance({ test262, isQuick, progress }: Tools): Promise<Findings> {
  if (test262 === undefined) {
    const note =
      "test262: skipped, no folder was given (--test262 <dir>: a copy of tc39/test262 with harness and test in it).";
    return { figures: [], ratios: [], bars: [], notes: [note] };
  }
  const found = await compareConformance(test262, { filesMax: isQuick ? FILES_QUICK : FILES, progress });
  const { files, runs, bothPass, bothFail, removed, known, bugs, onlyOurs } = found;
  return {
    figures: [],
    ratios: [],
    bars: [
      {
        what: `of ${runs} runs of ${files - removed} files of test262, those that fail in an isolate alone`,
        value: `${bugs.length}, and ${known.length} on purpose`,
        limit: "0",
        isMet: bugs.length === 0,
      },
    ],
    notes: [
      `test262: ${bothPass} runs pass in both, ${bothFail} fail in both, ${onlyOurs.length} pass in an isolate alone; ${removed} files test what is removed.`,
      ...bugs.slice(0, LISTED).map((text) => `test262 BUG ${text}`),
      ...known.slice(0, LISTED).map((text) => `test262 known ${text}`),
    ],
  };
}
