/**
 * What users hand in besides options: stages of their own, and what those say. A stage is code of the user's, so its words are
 * looked at before they get on record: a record that cannot be written, or read back as a text, would be a trial without a decision.
 */
import { z } from "zod";
import { EvolutionError } from "./errors.ts";
import type { Stage, StageVerdict } from "./stage.ts";

/** Characters of a stage's name. */
const NAME_MAX = 100;

const stageSchema: z.ZodType<Stage> = z.looseObject({
  name: z.string().min(1).max(NAME_MAX),
  budgetMs: z.number().positive().optional(),
  isLive: z.boolean().optional(),
  run: z.custom<Stage["run"]>((value) => typeof value === "function", { error: "must be a function" }),
}) as z.ZodType<Stage>; // zod reads an optional key as one that may be undefined

/** A ratio of nothing to nothing is a figure as well. */
const figure = z.custom<number>((value) => typeof value === "number", { error: "must be a number" });

const saidSchema = z.object({
  verdict: z.enum(["pass", "fail", "inconclusive", "void"]),
  reason: z.string(),
  code: z.string().optional(),
  figures: z.record(z.string(), figure).optional(),
  difference: z
    .object({ method: z.string(), argument: z.string(), expected: z.string(), actual: z.string(), turn: figure })
    .optional(),
  notes: z.array(z.string()).optional(),
  evidence: z
    .array(
      z.object({
        name: z.string(),
        pairs: figure,
        value: figure,
        threshold: figure,
        says: z.enum(["harm", "no harm", "gain", "open"]),
        text: z.string(),
      }),
    )
    .optional(),
  stateDiff: z
    .array(z.object({ key: z.string(), champion: z.string().nullable(), candidate: z.string().nullable() }))
    .optional(),
});

/** The stages, where each of them is one. Throws EVOLUTION_OPTIONS_INVALID, which names the first that is not. */
export function parseStages(input: unknown): readonly Stage[] {
  if (!Array.isArray(input)) throw invalid("stages", "they are a list, for example offlineStages");
  for (const [index, stage] of input.entries()) {
    const result = stageSchema.safeParse(stage);
    if (!result.success) throw invalid(`stages.${index}`, issueText(result.error));
  }
  return [...(input as readonly Stage[])]; // each of them was looked at
}

/** What a stage said, as plain data and nothing besides. Throws a TypeError that says what is wrong with it. */
export function parseSaid(input: unknown): StageVerdict {
  const result = saidSchema.safeParse(input);
  if (result.success) return result.data as StageVerdict; // see above
  throw new TypeError(`what it said is no verdict: ${issueText(result.error)}`);
}

function issueText({ issues }: z.ZodError): string {
  return issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`)).join("; ");
}

function invalid(path: string, message: string): EvolutionError {
  const details = { issues: [{ path, message }] };
  return new EvolutionError("EVOLUTION_OPTIONS_INVALID", `Arbiter.start: ${path}: ${message}`, { details });
}
