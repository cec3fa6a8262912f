/**
 * The evolution floor's door for options: every default with its unit and its reason.
 */
import { z } from "zod";
import { EvolutionError } from "./errors.ts";

/** Options of `Arbiter.start`. */
export interface ArbiterOptions {
  /** Where promoted code runs. `hardened` (no JIT) by default: the operator did not write it. */
  readonly profile?: "trusted" | "hardened" | undefined;
  /** Recorded turns a candidate is tried on, at most. */
  readonly replayTurnsMax?: number | undefined;
  /** Fewer recorded turns than this are no evidence: the verdict is inconclusive. */
  readonly replayTurnsMin?: number | undefined;
  /** A candidate may use this many times the champion's CPU time on the same turns, measured side by side. */
  readonly cpuRatioMax?: number | undefined;
  /** Turns after promotion during which any failure rolls back. */
  readonly probationTurns?: number | undefined;
  /** Probation also ends after this time, in ms. */
  readonly probationMs?: number | undefined;
  /** Candidates that may wait per agent. */
  readonly queueMax?: number | undefined;
}

/** `ArbiterOptions` with defaults filled in. */
export interface ParsedArbiterOptions {
  readonly profile: "trusted" | "hardened";
  readonly replayTurnsMax: number;
  readonly replayTurnsMin: number;
  readonly cpuRatioMax: number;
  readonly probationTurns: number;
  readonly probationMs: number;
  readonly queueMax: number;
}

/** What a proposal says. */
export interface Proposal {
  /** Id of the agent whose code it would replace. */
  readonly agent: string;
  /** TypeScript text of the whole agent module. */
  readonly source: string;
  /** Who proposes. Default `operator`. */
  readonly author?: string | undefined;
  /** In the proposer's words, what it is for. */
  readonly note?: string | undefined;
}

/** A proposal with its defaults filled in. */
export interface ParsedProposal {
  readonly agent: string;
  readonly source: string;
  readonly author: string;
  readonly note: string;
}

const count = (max: number): z.ZodNumber => z.number().int().min(1).max(max);

const arbiterSchema: z.ZodType<ArbiterOptions> = z.strictObject({
  profile: z.enum(["trusted", "hardened"]).optional(),
  replayTurnsMax: count(100_000).optional(),
  replayTurnsMin: count(100_000).optional(),
  cpuRatioMax: z.number().positive().max(1_000).optional(),
  probationTurns: count(1_000_000).optional(),
  probationMs: count(86_400_000).optional(),
  queueMax: count(10_000).optional(),
});

const proposalSchema: z.ZodType<Proposal> = z.strictObject({
  agent: z.string().min(1),
  source: z
    .string()
    .min(1)
    .max(4 << 20),
  author: z.string().max(200).optional(),
  note: z.string().max(10_000).optional(),
});

/** Throws EVOLUTION_OPTIONS_INVALID. */
export function parseArbiterOptions(input: unknown): ParsedArbiterOptions {
  const given = parse(arbiterSchema, input ?? {}, "Arbiter.start");
  const options: ParsedArbiterOptions = {
    profile: given.profile ?? "hardened",
    replayTurnsMax: given.replayTurnsMax ?? 200, // enough to see a rate of one fault in a hundred nine times of ten, in a second or two
    replayTurnsMin: given.replayTurnsMin ?? 20,
    cpuRatioMax: given.cpuRatioMax ?? 1.5,
    probationTurns: given.probationTurns ?? 200,
    probationMs: given.probationMs ?? 600_000,
    queueMax: given.queueMax ?? 32,
  };
  const { replayTurnsMin, replayTurnsMax } = options;
  if (replayTurnsMin <= replayTurnsMax) return options;
  throw invalid("Arbiter.start", [
    { path: "replayTurnsMin", message: `${replayTurnsMin} is more than replayTurnsMax (${replayTurnsMax})` },
  ]);
}

/** Throws EVOLUTION_OPTIONS_INVALID. */
export function parseProposal(input: unknown): ParsedProposal {
  const given = parse(proposalSchema, input, "propose");
  return { agent: given.agent, source: given.source, author: given.author ?? "operator", note: given.note ?? "" };
}

function parse<T>(schema: z.ZodType<T>, input: unknown, where: string): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const issues = result.error.issues.map((issue) => ({ path: issue.path.join("."), message: issue.message }));
  throw invalid(where, issues);
}

interface Issue {
  readonly path: string;
  readonly message: string;
}

function invalid(where: string, issues: readonly Issue[]): EvolutionError {
  const lines = issues.map((issue) => (issue.path === "" ? issue.message : `${issue.path}: ${issue.message}`));
  return new EvolutionError("EVOLUTION_OPTIONS_INVALID", `${where}: ${lines.join("; ")}`, { details: { issues } });
}
