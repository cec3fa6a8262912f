/**
 * The agent's text: the audited desk with a rule whose weights nobody has tuned, and ears for verdicts. Only the body of the rule may
 * change.
 *
 *     head  function placeOf(ticket) {  [ rule ]  }  tail
 */
import assert from "node:assert/strict";
import { faultyCandidates } from "../../audit/faults.ts";
import { championSource } from "../../audit/champion.ts";
import type { Candidate } from "../../audit/candidate.ts";
import type { TextRange } from "../../population/problem.ts";
import { seedOf } from "../draws.ts";

/** A first guess at where a ticket goes: it looks at everything, also at what does not matter. */
const FIRST_RULE = `  const score = 0.5 * ticket.urgency + 0.2 * ticket.history + 0.3 * ticket.length;
  if (score > 0.6) return "now";
  if (score > 0.3) return "later";
  return "never";`;

/** Hears what became of its versions, and can be asked how often it was told. */
const EARS = `verdict(ctx, verdict: { ruling: string }): void {
      ctx.state.heard = { ...ctx.state.heard, [verdict.ruling]: (ctx.state.heard?.[verdict.ruling] ?? 0) + 1 };
    },
    heard: { reads: true, handle: (ctx) => ctx.state.heard ?? {} },
    `;

/** Purpose of a seed. */
const FAULTS = 0xbad;

/** The agent as it begins. */
export const firstText: string = withRule(withEars(championSource), FIRST_RULE);

/** Where the rule stands in a version's text: what may change. Throws for a text without one. */
export function ruleRange(text: string): TextRange {
  const head = /function placeOf\([^)]*\)[^{\n]*\{\n/.exec(text);
  assert(head !== null, "the agent has a rule");
  const start = head.index + head[0].length;
  const end = text.indexOf("\n}", start);
  assert(end > start, "the rule ends");
  return { start, end };
}

/** The rule of a version. */
export function ruleOf(text: string): string {
  const { start, end } = ruleRange(text);
  return text.slice(start, end);
}

/** The present version with the audit's `index`-th fault of a seed: it must not be promoted. */
export function faultyText(present: string, seed: number, index: number): Candidate {
  const fault = faultyCandidates(index + 1, seedOf(seed, FAULTS))[index];
  assert(fault !== undefined, "there are as many as were asked for");
  return { ...fault, source: withRule(withEars(fault.source), ruleOf(present)) };
}

function withRule(text: string, rule: string): string {
  const { start, end } = ruleRange(text);
  return text.slice(0, start) + rule + text.slice(end);
}

function withEars(text: string): string {
  assert.equal(text.split("route: {").length, 2, "the agent routes in one place");
  return text.replace("route: {", () => `${EARS}route: {`);
}
