/** What the evidence says, in the words of a stage. Pure. */
import type { StageVerdict } from "../stage.ts";
import type { Conclusion } from "./conclusion.ts";

/** A conclusion as a stage's verdict: what is open is inconclusive. */
export function saidBy({ verdict, reason, code, difference, lines }: Conclusion): StageVerdict {
  return {
    verdict: verdict === "open" ? "inconclusive" : verdict,
    reason,
    evidence: lines,
    ...(code === undefined ? {} : { code }),
    ...(difference === undefined ? {} : { difference }),
  };
}
