/**
 * Is it harder to bring down than what runs? Every attack that brought an earlier candidate down, and hostile messages made from
 * recorded ones, are given to the candidate and to the running version on forks of the present state. What harms the candidate
 * alone fails it, and is kept for all who come later: a hole that was seen once is never opened again unseen.
 *
 * Harm: it crashes, does not end, needs more memory than it has, asks the outside for what the running version does not, takes
 * keys of its state away, or is left in a state in which recent turns no longer go well. What harms both is no one's fault. An error,
 * or another answer than the running version gives, is counted and shown, and looked into for what it leaves behind.
 *
 * What a handler asks the outside is answered to both alike: with what the world answered lately, with hostile variations of it, or
 * not at all. So what comes behind its first question is attacked, too; nothing real is asked.
 */
import { seededRandom } from "../../runtime/index.ts";
import { SandboxError } from "../../sandbox/index.ts";
import { Arena } from "../attacks/arena.ts";
import type { Case } from "../attacks/generate.ts";
import { behindQuestions, generateCases } from "../attacks/generate.ts";
import type { HowDiffering } from "../attacks/harm.ts";
import type { HuntCase, HuntFinding, HuntReport } from "../attacks/hunt.ts";
import { Hunt } from "../attacks/hunt.ts";
import type { Stage, StageVerdict, Trial } from "../stage.ts";
import { verdictOfError } from "../stage.ts";

/** CPU time of the candidate for made-up messages, in ms: hundreds of honest turns, or four that do not end. */
const GENERATED_CPU_MS = 1_000;
/** Recent turns that must still go well after an attack. */
const PROBES_MAX = 10;
const TEXT_SHOWN = 120;

/** Tries the candidate with kept and made-up attacks. */
export const adversaryStage: Stage = {
  name: "adversary",
  budgetMs: 120_000,
  async run(trial: Trial): Promise<StageVerdict> {
    try {
      const opened = await Arena.open(trial);
      if ("verdict" in opened) return opened;
      await using arena = opened;
      return verdictOf(await hunt(trial, arena));
    } catch (error) {
      const isLost = error instanceof SandboxError && error.code === "SANDBOX_CELL_LOST";
      if (isLost) return { verdict: "void", reason: `a cell was lost and could not be replaced: ${error.message}` };
      return verdictOfError(error, "adversary");
    }
  },
};

async function hunt(trial: Trial, arena: Arena): Promise<HuntReport> {
  const turns = trial.traffic();
  const generated = generateCases({
    methods: arena.methods.map(({ name }) => name),
    turns,
    count: trial.options.generatedCases,
    random: seededRandom(trial.seed),
    bytesMax: trial.control.spec.limits.messageBytesMax,
  });
  return await new Hunt(trial, arena).run({
    kept: trial.attacks().map(({ messages, found }) => ({ messages, what: found.what, isKept: true })),
    generated: [...generated, ...behindQuestions(turns, trial.options.generatedCases)].map(caseOf(trial.seed)),
    generatedCpuMs: GENERATED_CPU_MS,
    turns: turns.slice(-PROBES_MAX).map((turn) => ({ ...turn, callId: undefined })),
    reads: new Set(arena.methods.flatMap(({ name, reads }) => (reads ? [name] : []))),
  });
}

/** Each with a world of its own. */
function caseOf(seed: number): (made: Case, index: number) => HuntCase {
  return ({ message, what }, index) => ({ messages: [message], what, isKept: false, seed: seed + index });
}

function verdictOf(report: HuntReport): StageVerdict {
  const { findings, kept, generated, unrepeated, counts, isCut } = report;
  const { error: refused, answer: otherwise, write: written } = counts;
  const figures = { kept, generated, findings: findings.length, refused, otherwise, written };
  const notes = [
    ...findings.map(sentenceOf),
    ...(unrepeated > 0 ? [`${unrepeated} did harm once and not again`] : []),
    ...differencesOf(report),
  ];
  const said = { figures, ...(notes.length > 0 ? { notes } : {}) };
  const [first] = findings;
  if (first !== undefined) {
    return { verdict: "fail", code: "EVOLUTION_ATTACK_SUCCEEDED", reason: sentenceOf(first), ...said };
  }
  const differing = differencesOf(report).map((each) => `; ${each}`);
  const tried = `${kept} kept attacks and ${generated} made-up messages`;
  if (isCut) {
    return { verdict: "inconclusive", code: "EVOLUTION_BUDGET_OVER", reason: `ended after ${tried}`, ...said };
  }
  return { verdict: "pass", reason: `it stands ${tried}${differing.join("")}`, ...said };
}

/** How it differs from the running version where neither is harmed, with the first example of each. */
function differencesOf({ counts, differences }: HuntReport): readonly string[] {
  return HOW_DIFFERING.filter(([how]) => counts[how] > 0).map(([how, words]) => {
    const message = differences.find((each) => each.how === how)?.message;
    const example = message === undefined ? "" : ` (${message.method}(${clipped(message.text)}))`;
    return `${counts[how]} ${words}${example}`;
  });
}

const HOW_DIFFERING: readonly (readonly [how: HowDiffering, words: string])[] = [
  ["error", "hostile messages are met with an error that the running version answers"],
  ["answer", "are answered otherwise than the running version answers them"],
  ["write", "are answered alike, and leave another state"],
];

function sentenceOf({ messages, what, harm }: HuntFinding): string {
  const [first] = messages;
  const shown = first === undefined ? "" : `${first.method}(${clipped(first.text)})`;
  const more = messages.length > 1 ? ` and ${messages.length - 1} more` : "";
  return `it ${harm} after ${shown}${more}, where the running version stands (${clipped(what)})`;
}

function clipped(text: string): string {
  return text.length <= TEXT_SHOWN ? text : `${text.slice(0, TEXT_SHOWN)}…`;
}
