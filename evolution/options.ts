/**
 * The evolution floor's door for options: every default with its unit and its reason.
 *
 * `rigor` is a set of numbers: how much evidence a promotion needs, and how long a promoted version is watched. Each number
 * can be given by itself and then stands, whatever the rigor.
 */
import { z } from "zod";
import { EvolutionError } from "./errors.ts";

/** How much evidence a promotion needs. */
export type Rigor = "quick" | "standard" | "strict";

/** A turn as a user's own functions see it: values, not texts. */
export interface JudgedTurn {
  readonly method: string;
  readonly argument: unknown;
  /** Absent where the turn failed. */
  readonly reply?: unknown;
  /** Absent where it was answered. */
  readonly error?: { readonly name: string; readonly message: string };
}

/** Options of `Arbiter.start`. */
export interface ArbiterOptions {
  /** Where promoted code runs. `hardened` (no JIT) by default: the operator did not write it. */
  readonly profile?: "trusted" | "hardened" | undefined;
  /** A preset of the numbers below. `quick` is for development: five points of harm stay unseen. Default `standard`. */
  readonly rigor?: Rigor | undefined;

  /** Chance that a candidate without a gain, or worse than its margin, is promoted. Default 0.05. */
  readonly alpha?: number | undefined;
  /** Chance, per guard rail, that a harmless candidate is called harmful, however often one looks. Default 0.01. */
  readonly harmAlpha?: number | undefined;
  /** Share of turns by which a candidate may fail more often: a promotion proves that it is less. */
  readonly marginPoints?: number | undefined;
  /** `strict`: the j-th live trial of an agent gets alpha * 6 / (pi j)^2, so that all its trials together keep to alpha. */
  readonly spending?: "normal" | "strict" | undefined;
  /** Times the champion's CPU time a candidate may need, as a mean that is tested. Default 1.10. */
  readonly cpuRatioMax?: number | undefined;

  /** Recorded turns a candidate is tried on, at most. Default 500. */
  readonly replayTurnsMax?: number | undefined;
  /** Fewer recorded turns than this are no evidence: the verdict is inconclusive. Default 20. */
  readonly replayTurnsMin?: number | undefined;
  /** Times the champion's CPU time in a replay: coarse, because a replay is short. Default 1.5. */
  readonly replayCpuRatioMax?: number | undefined;
  /** Hostile messages made up for each candidate, besides those that are kept. Default 200. */
  readonly generatedCases?: number | undefined;

  /** Live turns that are mirrored before a candidate may pass. */
  readonly mirrorTurnsMin?: number | undefined;
  /** Live turns that are mirrored at most; then the verdict is inconclusive. */
  readonly mirrorTurnsMax?: number | undefined;
  /** A mirror ends after this time, in ms. Default 30 min. */
  readonly mirrorMs?: number | undefined;
  /** No live turn for so long in a mirror or a split, in ms, and it ends inconclusively. Default 10 s. */
  readonly quietMs?: number | undefined;

  /** Shares of the sessions that the candidate answers, step by step; each in (0, 0.5]. */
  readonly splitSteps?: readonly number[] | undefined;
  /** Turns the candidate answers itself in each step. */
  readonly splitTurnsMin?: number | undefined;
  /** `thompson`: from the second step on the share follows what is known of both. Default `steps`. */
  readonly share?: "steps" | "thompson" | undefined;

  /** Turns after promotion during which a failure rolls back. */
  readonly probationTurns?: number | undefined;
  /** Probation also ends after this time, in ms. */
  readonly probationMs?: number | undefined;

  /**
   * `equal`: an answer that differs fails, where the champion itself repeats it. `judged`: answers may differ, and `fitness` says
   * which is better. Default: `judged` exactly where `fitness` is given.
   */
  readonly answers?: "equal" | "judged" | undefined;
  /**
   * How good an answer is, from 0 to 1; `undefined` where the answer must be equal all the same. Runs in the Guardian; what it
   * throws makes the measurement void.
   */
  readonly fitness?: ((turn: JudgedTurn) => number | undefined) | undefined;
  /** What counts as a failure besides errors. */
  readonly isFailure?: ((turn: JudgedTurn) => boolean) | undefined;
  /** An answer without what may differ: times, ids of its own making. Applied before answers are compared. */
  readonly clean?: ((reply: unknown, turn: JudgedTurn) => unknown) | undefined;
  /** Which session a turn belongs to: a session is answered by one version. Default: the agent that asks; what the program asks is a session each. */
  readonly session?:
    | ((turn: { readonly method: string; readonly argument: unknown; readonly from?: string }) => string)
    | undefined;

  /** What a shadow is told where the live agent did not ask the same: refused, or what `simulate` says. Default `refuse`. */
  readonly effects?: "refuse" | "simulate" | undefined;
  /** Answers an effect of a shadow as encoded text; `undefined` refuses it. Needed for `effects: "simulate"`. */
  readonly simulate?: ((call: { readonly verb: string; readonly text: string }) => string | undefined) | undefined;

  /** Promotions of one agent per `promotionsPeriodMs`. Default 6 an hour. */
  readonly promotionsMax?: number | undefined;
  /** In ms. */
  readonly promotionsPeriodMs?: number | undefined;
  /** After a roll-back nothing is tried for the agent for so long, in ms; twice as long after each further one in a row. Default 60 s. */
  readonly quarantineMs?: number | undefined;
  /** Rejected codes that are remembered; the oldest go first. Default 10,000. */
  readonly tombstonesMax?: number | undefined;
  /** Candidates that may wait per agent. Default 32. */
  readonly queueMax?: number | undefined;
  /** All chance of trials begins with it. Default 1. */
  readonly seed?: number | undefined;
}

/** `ArbiterOptions` with defaults filled in. */
export interface ParsedArbiterOptions {
  readonly profile: "trusted" | "hardened";
  readonly rigor: Rigor;
  readonly alpha: number;
  readonly harmAlpha: number;
  readonly marginPoints: number;
  readonly spending: "normal" | "strict";
  readonly cpuRatioMax: number;
  readonly replayTurnsMax: number;
  readonly replayTurnsMin: number;
  readonly replayCpuRatioMax: number;
  readonly generatedCases: number;
  readonly mirrorTurnsMin: number;
  readonly mirrorTurnsMax: number;
  readonly mirrorMs: number;
  readonly quietMs: number;
  readonly splitSteps: readonly number[];
  readonly splitTurnsMin: number;
  readonly share: "steps" | "thompson";
  readonly probationTurns: number;
  readonly probationMs: number;
  readonly answers: "equal" | "judged";
  readonly fitness: NonNullable<ArbiterOptions["fitness"]> | undefined;
  readonly isFailure: NonNullable<ArbiterOptions["isFailure"]> | undefined;
  readonly clean: NonNullable<ArbiterOptions["clean"]> | undefined;
  readonly session: NonNullable<ArbiterOptions["session"]> | undefined;
  readonly effects: "refuse" | "simulate";
  readonly simulate: NonNullable<ArbiterOptions["simulate"]> | undefined;
  readonly promotionsMax: number;
  readonly promotionsPeriodMs: number;
  readonly quarantineMs: number;
  readonly tombstonesMax: number;
  readonly queueMax: number;
  readonly seed: number;
}

/** What a rigor stands for. */
type Preset = Pick<
  ParsedArbiterOptions,
  | "marginPoints"
  | "mirrorTurnsMin"
  | "mirrorTurnsMax"
  | "splitSteps"
  | "splitTurnsMin"
  | "probationTurns"
  | "probationMs"
  | "spending"
>;

const HOUR_MS = 3_600_000;

const PRESETS: Readonly<Record<Rigor, Preset>> = {
  // A margin of five points is proved by about 125 turns without a failure, its CPU time by 150: a minute of a busy agent.
  quick: {
    marginPoints: 0.05,
    mirrorTurnsMin: 50,
    mirrorTurnsMax: 2_000,
    splitSteps: [0.2, 0.5],
    splitTurnsMin: 40,
    probationTurns: 200,
    probationMs: 600_000,
    spending: "normal",
  },
  // A margin of one point needs about 600 turns where nothing ever fails; a rate of failure that rises from 0 to 0.5 % is seen after about 1,750.
  standard: {
    marginPoints: 0.01,
    mirrorTurnsMin: 300,
    mirrorTurnsMax: 10_000,
    splitSteps: [0.05, 0.2, 0.5],
    splitTurnsMin: 200,
    probationTurns: 2_000,
    probationMs: HOUR_MS,
    spending: "normal",
  },
  // The first step of one in a hundred is for agents that are busy enough to give it 200 turns.
  strict: {
    marginPoints: 0.01,
    mirrorTurnsMin: 300,
    mirrorTurnsMax: 10_000,
    splitSteps: [0.01, 0.05, 0.2, 0.5],
    splitTurnsMin: 200,
    probationTurns: 10_000,
    probationMs: HOUR_MS,
    spending: "strict",
  },
};

const DEFAULTS = {
  profile: "hardened",
  rigor: "standard",
  alpha: 0.05,
  harmAlpha: 0.01, // per guard rail; there are about five of them
  cpuRatioMax: 1.1,
  replayTurnsMax: 500, // what a recorder holds at least
  replayTurnsMin: 20,
  replayCpuRatioMax: 1.5, // a few hundred turns side by side vary by a tenth or two
  generatedCases: 200, // about a second
  mirrorMs: HOUR_MS / 2,
  quietMs: 10_000, // an agent that is asked less often than this has no live traffic to judge by
  share: "steps",
  effects: "refuse",
  promotionsMax: 6,
  promotionsPeriodMs: HOUR_MS,
  quarantineMs: 60_000,
  tombstonesMax: 10_000, // some 2 MB
  queueMax: 32,
  seed: 1,
} as const;

/** A quarantine is never longer, in ms. */
export const QUARANTINE_MS_MAX: number = HOUR_MS;

/** Text of a candidate, in UTF-16 units: four times what is let through its static check. What is longer is no candidate at all. */
export const SOURCE_CHARACTERS_MAX: number = 1 << 20;

/** What a proposal says. */
export interface Proposal {
  /** Id of the agent whose code it would replace. */
  readonly agent: string;
  /** TypeScript text of the whole agent module. At most `SOURCE_CHARACTERS_MAX` characters. */
  readonly source: string;
  /** Who proposes. Default `operator`. */
  readonly author?: string | undefined;
  /** In the proposer's words, what it is for. */
  readonly note?: string | undefined;
  /** Of how many candidates this one was chosen: who looks at many finds one that is good by luck. Default 1. */
  readonly candidatesTried?: number | undefined;
  /** Log position of the agent: turns before it were used to choose this candidate, and are no evidence for it. Default: none were. */
  readonly unseenAfter?: number | undefined;
}

/** A proposal with its defaults filled in. */
export interface ParsedProposal {
  readonly agent: string;
  readonly source: string;
  readonly author: string;
  readonly note: string;
  readonly candidatesTried: number;
  /** Absent where no turns were used to choose it. */
  readonly unseenAfter?: number;
}

const count = (max: number): z.ZodNumber => z.number().int().min(1).max(max);
const share = (): z.ZodNumber => z.number().positive().max(0.5);
const own = <T>(): z.ZodType<T> => z.custom<T>((value) => typeof value === "function", { error: "must be a function" });
type Own<Key extends keyof ArbiterOptions> = NonNullable<ArbiterOptions[Key]>;

const DAY_MS = 24 * HOUR_MS;

const arbiterSchema: z.ZodType<ArbiterOptions> = z.strictObject({
  profile: z.enum(["trusted", "hardened"]).optional(),
  rigor: z.enum(["quick", "standard", "strict"]).optional(),
  alpha: share().optional(),
  harmAlpha: share().optional(),
  marginPoints: share().optional(),
  spending: z.enum(["normal", "strict"]).optional(),
  cpuRatioMax: z.number().positive().max(1_000).optional(),
  replayTurnsMax: count(100_000).optional(),
  replayTurnsMin: count(100_000).optional(),
  replayCpuRatioMax: z.number().positive().max(1_000).optional(),
  generatedCases: z.number().int().min(0).max(100_000).optional(),
  mirrorTurnsMin: count(1_000_000).optional(),
  mirrorTurnsMax: count(1_000_000).optional(),
  mirrorMs: count(DAY_MS).optional(),
  quietMs: count(DAY_MS).optional(),
  splitSteps: z.array(share()).min(1).max(20).optional(),
  splitTurnsMin: count(1_000_000).optional(),
  share: z.enum(["steps", "thompson"]).optional(),
  probationTurns: count(1_000_000).optional(),
  probationMs: count(DAY_MS).optional(),
  answers: z.enum(["equal", "judged"]).optional(),
  fitness: own<Own<"fitness">>().optional(),
  isFailure: own<Own<"isFailure">>().optional(),
  clean: own<Own<"clean">>().optional(),
  session: own<Own<"session">>().optional(),
  effects: z.enum(["refuse", "simulate"]).optional(),
  simulate: own<Own<"simulate">>().optional(),
  promotionsMax: count(1_000_000).optional(),
  promotionsPeriodMs: count(30 * DAY_MS).optional(),
  quarantineMs: count(QUARANTINE_MS_MAX).optional(),
  tombstonesMax: count(1_000_000).optional(),
  queueMax: count(10_000).optional(),
  seed: z.number().int().min(0).max(0xffff_ffff).optional(),
});

const proposalSchema: z.ZodType<Proposal> = z.strictObject({
  agent: z.string().min(1),
  source: z
    .string()
    .min(1)
    .max(SOURCE_CHARACTERS_MAX, { error: `a candidate's text has at most ${SOURCE_CHARACTERS_MAX} characters` }),
  author: z.string().max(200).optional(),
  note: z.string().max(10_000).optional(),
  candidatesTried: count(1_000_000).optional(),
  unseenAfter: z.number().int().min(0).optional(),
});

/** Throws EVOLUTION_OPTIONS_INVALID. */
export function parseArbiterOptions(input: unknown): ParsedArbiterOptions {
  const given = known(parse(arbiterSchema, input ?? {}, "Arbiter.start"));
  const { fitness, isFailure, clean, session, simulate } = given;
  const options: ParsedArbiterOptions = {
    ...DEFAULTS,
    ...PRESETS[given.rigor ?? DEFAULTS.rigor],
    answers: fitness === undefined ? "equal" : "judged",
    ...given,
    fitness,
    isFailure,
    clean,
    session,
    simulate,
  };
  const issues = contradictions(options);
  if (issues.length > 0) throw invalid("Arbiter.start", issues);
  return options;
}

/** What was given; a key that was given as `undefined` was not. */
function known(given: ArbiterOptions): Given {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

type Given = { readonly [Key in keyof ArbiterOptions]?: NonNullable<ArbiterOptions[Key]> };

/** Options that are right one by one and under which nothing could ever be promoted. */
function contradictions(options: ParsedArbiterOptions): readonly Issue[] {
  const issues: Issue[] = [];
  for (const [least, most] of [
    ["replayTurnsMin", "replayTurnsMax"],
    ["mirrorTurnsMin", "mirrorTurnsMax"],
  ] as const) {
    if (options[least] <= options[most]) continue;
    issues.push({ path: least, message: `${options[least]} is more than ${most} (${options[most]})` });
  }
  const { splitSteps, answers, fitness, effects, simulate } = options;
  if (splitSteps.some((step, index) => step <= (splitSteps[index - 1] ?? 0)))
    issues.push({ path: "splitSteps", message: "each step must be larger than the one before" });
  if (answers === "judged" && fitness === undefined)
    issues.push({ path: "fitness", message: 'answers: "judged" needs a function that judges them' });
  if ((effects === "simulate") !== (simulate !== undefined))
    issues.push({ path: "simulate", message: 'effects: "simulate" and the function simulate belong together' });
  return issues;
}

/** Throws EVOLUTION_OPTIONS_INVALID. */
export function parseProposal(input: unknown): ParsedProposal {
  const {
    agent,
    source,
    author = "operator",
    note = "",
    candidatesTried = 1,
    unseenAfter,
  } = parse(proposalSchema, input, "propose");
  const unseen = unseenAfter === undefined ? {} : { unseenAfter };
  return { agent, source, author, note, candidatesTried, ...unseen };
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
