/**
 * What a model is asked. A pure function of the ground and the form: the same ground gives the same prompt to the letter, or no cassette
 * would be of use. Programs and values come from candidates; whatever they say, an answer is only ever text edits.
 */
import { inspect } from "node:util";
import type { PromptForm } from "../../llm-options.ts";
import type { CaseFailure, Individual } from "../../population/individual.ts";
import type { TextRange } from "../../population/problem.ts";
import type { MutationGround } from "../mutator.ts";

/** A question. */
export interface Prompt {
  readonly system: string;
  readonly user: string;
}

/** Longest program that is shown; a longer one is not asked about. */
export const SHOWN_CHARACTERS_MAX = 64_000;
const FAILURES_MAX = 3;
const VALUE_CHARACTERS_MAX = 600;
const INSPIRATIONS_MAX = 2;
const INSPIRATION_CHARACTERS_MAX = 8_000;

const SYSTEM =
  "You improve small programs in TypeScript or JavaScript. A program is kept only if it scores better when it is run, so change what can make a difference. Answer in the form that is asked for and add nothing else.";

const EDIT_FORM = `Answer with one or more blocks of this form. What stands between the first two lines must be copied letter by letter from the program and occur in it once; what stands below takes its place.

<<<<<<< SEARCH
lines of the program
=======
lines in their place
>>>>>>> REPLACE`;

const WHOLE_FORM = "Answer with the whole new program in one fenced block of code.";

/** The question of this form about this ground; `mate` is the other parent of a crossover. */
export function promptOf(
  form: PromptForm,
  ground: Pick<MutationGround, "parent" | "inspirations" | "failures" | "evolvable">,
  { task, mate }: { readonly task: string; readonly mate?: Individual | undefined },
): Prompt {
  const { parent, inspirations, failures, evolvable } = ground;
  const sections = [
    task === "" ? "" : `What the program is for:\n${task}`,
    `The program, which scores ${scoreText(parent)}:\n${fenced(parent.text)}`,
    limitsText(parent.text, evolvable),
    ...(form === "crossover" ? [mateText(mate)] : inspirationTexts(parent, inspirations)),
    failuresText(failures),
    taskText(form),
    form === "rewrite" || form === "crossover" ? WHOLE_FORM : EDIT_FORM,
  ];
  return { system: SYSTEM, user: sections.filter((section) => section !== "").join("\n\n") };
}

function taskText(form: PromptForm): string {
  switch (form) {
    case "edit":
      return "Change a few lines so that it scores better.";
    case "rewrite":
      return "Write it anew so that it scores better, with the same functions to the outside.";
    case "crossover":
      return "Write one program that takes the best of both, with the same functions to the outside.";
    case "fix":
      return "Find out why these cases fail, and mend it. All other cases must stay as they are.";
    default:
      return form satisfies never;
  }
}

function limitsText(text: string, evolvable: readonly TextRange[]): string {
  if (evolvable.some(({ start, end }) => start === 0 && end >= text.length)) return "";
  const parts = evolvable.map(({ start, end }) => fenced(text.slice(start, end)));
  return `Only these parts of it may change; everything else must stay as it is, letter by letter:\n${parts.join("\n")}`;
}

function mateText(mate: Individual | undefined): string {
  return mate === undefined
    ? ""
    : `Another program for the same task, which scores ${scoreText(mate)}:\n${fenced(mate.text)}`;
}

function inspirationTexts(parent: Individual, inspirations: readonly Individual[]): readonly string[] {
  return inspirations
    .filter(({ id, text }) => id !== parent.id && text.length <= INSPIRATION_CHARACTERS_MAX)
    .slice(0, INSPIRATIONS_MAX)
    .map((other) => `A program that scores ${scoreText(other)}, for comparison:\n${fenced(other.text)}`);
}

function failuresText(failures: readonly CaseFailure[]): string {
  if (failures.length === 0) return "";
  const lines = failures.slice(0, FAILURES_MAX).map(({ caseId, args, outcome, score }) => {
    const asked = args.map(valueText).join(", ");
    return `- ${JSON.stringify(caseId.slice(0, 200))}: called with (${asked}) it ${outcomeText(outcome)}; score ${round(score)}`;
  });
  return `Cases that it fails:\n${lines.join("\n")}`;
}

function outcomeText(outcome: CaseFailure["outcome"]): string {
  switch (outcome.kind) {
    case "returned":
      return `returned ${valueText(outcome.value)}`;
    case "threw":
      return `threw ${valueText(outcome.message)}`;
    case "fuel":
      return "did not come to an end";
    case "exceeded":
      return `exceeded a limit (${outcome.code})`;
    case "unfit":
      return `could not be loaded: ${valueText(outcome.reason)}`;
    default:
      return outcome satisfies never;
  }
}

/** A value in one line, bounded however large it is. */
function valueText(value: unknown): string {
  const options = {
    depth: 5,
    maxArrayLength: 60,
    maxStringLength: VALUE_CHARACTERS_MAX,
    breakLength: Infinity,
    compact: true,
    sorted: false,
  };
  const text = inspect(value, options);
  return text.length <= VALUE_CHARACTERS_MAX ? text : `${text.slice(0, VALUE_CHARACTERS_MAX).toWellFormed()}…`;
}

function scoreText({ score }: Individual): string {
  return String(round(score));
}

function round(score: number): number {
  return Number(score.toPrecision(6));
}

/** A fence that is longer than any within. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(({ 0: { length } }) => length));
  const fence = "`".repeat(longest + 1);
  return `${fence}ts\n${text}${text.endsWith("\n") ? "" : "\n"}${fence}`;
}
