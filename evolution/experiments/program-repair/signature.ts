/** Behaviour as one word: programs that answer alike have the same. */
import { createHash } from "node:crypto";
import type { CallOutcome } from "../../population/program-runner.ts";
import { valueText } from "./value-text.ts";

/** A hash of what was answered; `threw` counts as one answer, whatever was said. */
export function signatureOf(outcomes: readonly CallOutcome[]): string {
  const hash = createHash("sha256");
  for (const outcome of outcomes) {
    hash.update(outcome.kind);
    if (outcome.kind === "returned") hash.update(valueText(outcome.value));
    hash.update("\n");
  }
  return hash.digest("base64url").slice(0, 16);
}
