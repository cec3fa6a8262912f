/**
 * The stage behind compile: is there anything in the code that no candidate may have? It was looked at where it was compiled, in a
 * process of its own; here is judged what was seen. Nothing of the candidate runs.
 */
import type { VerdictCode } from "../errors.ts";
import type { Finding, Stage, StageVerdict, Trial } from "../stage.ts";

/** Lines of the report. */
const NOTES_MAX = 20;

/** Refuses what is forbidden, and tells of what is legal and seldom meant. */
export const staticStage: Stage = {
  name: "static",
  run: async (trial: Trial) => judgeFindings(trial.findings, `${trial.proposal.agent}.agent.ts`),
};

/**
 * The verdict on what was seen, the forbidden first. Fails with EVOLUTION_STATIC_FORBIDDEN, EVOLUTION_SOURCE_TOO_LARGE,
 * EVOLUTION_NO_AGENT. Pure.
 */
export function judgeFindings(findings: readonly Finding[], name: string): StageVerdict {
  const forbidden = findings.filter(({ severity }) => severity === "forbidden");
  const noted = findings.length - forbidden.length;
  const figures = { forbidden: forbidden.length, notes: noted };
  const notes = notesOf(findings, name);
  const [first, ...more] = forbidden;
  if (first === undefined) {
    const reason = noted === 0 ? "nothing in it is forbidden" : `nothing in it is forbidden; ${noted} to look at`;
    return { verdict: "pass", reason, figures, notes };
  }
  const rest = more.length === 0 ? "" : ` (and ${more.length} more)`;
  return { verdict: "fail", code: codeOf(first), reason: `${lineOf(first, name)}${rest}`, figures, notes };
}

function codeOf({ rule }: Finding): VerdictCode {
  if (rule === "too-large") return "EVOLUTION_SOURCE_TOO_LARGE";
  return rule === "no-agent" ? "EVOLUTION_NO_AGENT" : "EVOLUTION_STATIC_FORBIDDEN";
}

function notesOf(findings: readonly Finding[], name: string): readonly string[] {
  const lines = findings.slice(0, NOTES_MAX).map((finding) => `${finding.severity}: ${lineOf(finding, name)}`);
  return findings.length > NOTES_MAX ? [...lines, `… and ${findings.length - NOTES_MAX} more`] : lines;
}

/** As compilers say it: an editor finds the place. */
function lineOf({ rule, line, column, text }: Finding, name: string): string {
  return `${name}:${line}:${column}: ${text} (rule ${rule})`;
}
