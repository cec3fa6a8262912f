/**
 * What a message did to a candidate, against what it did to the running version. Pure.
 *
 * An error that is thrown is no harm, nor is another answer: the caller is told, the agent lives on. They are counted; whether more of
 * them is too many is for the stages that compare ordinary traffic. What they leave behind may be harm (`arena.ts`).
 */
import type { ShadowTurn } from "../../runtime/index.ts";
import { isSameReply } from "../compare.ts";
import { isSameTurn } from "../smoke/round-trip.ts";

/** Share of its CPU time from which the running version is slow itself: then a candidate that needs all of it is no worse. */
const SLOW_SHARE = 0.5;
/** Of names that a candidate made up, so much is shown. */
const SHOWN_MAX = 100;

/** How a message went for both. */
export interface Meeting {
  readonly candidate: ShadowTurn;
  readonly control: ShadowTurn;
  /** Verbs of the questions that were answered to the candidate as the attack would have it, in their order. */
  readonly told: readonly string[];
  /** Verbs that the running version was recorded to ask. */
  readonly usualVerbs: ReadonlySet<string>;
}

/** What is wrong, as the end of a sentence that begins with "it"; `undefined` where the candidate stood, or the running version fell too. */
export function harmOf(
  { candidate, control, told, usualVerbs }: Meeting,
  limits: { readonly cpuMs: number },
): string | undefined {
  const { outcome } = control;
  if (outcome.kind === "exceeded" || outcome.kind === "lost") return undefined;
  if (candidate.outcome.kind === "exceeded") {
    const { code } = candidate.outcome;
    if (code === "SANDBOX_HEAP_EXCEEDED") return "needs more memory than it has";
    return outcome.meter.cpuMs > limits.cpuMs * SLOW_SHARE ? undefined : "does not end";
  }
  if (candidate.outcome.kind === "lost") return "brings its cell down";
  const isAnswered = outcome.kind === "done";
  // What somebody does with a made-up answer that the other one threw at is no worse for being more.
  const gone = told.length > 0 && !isAnswered ? undefined : takenAway(candidate, control);
  return beyond({ candidate, control, told, usualVerbs }, isAnswered) ?? gone;
}

/** How the candidate differs from a running version that answers: an error, another answer, or the same answer and other writes. */
export type HowDiffering = "error" | "answer" | "write";

/** How both differ; `undefined`: they do not, or the running version did not answer. Told, and no harm by itself. */
export function differenceIn({ candidate, control }: Meeting): HowDiffering | undefined {
  const [a, b] = [candidate.outcome, control.outcome];
  if (b.kind !== "done") return undefined;
  if (a.kind === "threw") return "error";
  if (a.kind !== "done") return undefined;
  if (!isSameReply(b.reply, a.reply)) return "answer";
  return isSameTurn(candidate, control) ? undefined : "write";
}

/**
 * Questions to the outside of a kind that the running version did not ask. Behind a made-up answer it counts only where that one
 * came to its end, and is not known to ask such things.
 */
function beyond({ candidate, control, told, usualVerbs }: Meeting, isAnswered: boolean): string | undefined {
  const asked = new Set(control.effects.map(({ verb }) => verb));
  let answers = 0;
  const strange = candidate.effects.find(({ verb, how }) => {
    const isTold = how === "simulated" && told[answers] === verb;
    const isExcused = answers > 0 && (!isAnswered || usualVerbs.has(verb));
    if (isTold) answers += 1;
    return (isTold || how === "refused") && !asked.has(verb) && !isExcused;
  });
  const verb = strange?.verb;
  return verb === undefined
    ? undefined
    : `asks the outside (${verb.slice(0, SHOWN_MAX)}), which the running version does not`;
}

/** Keys of the state that the candidate deletes and the running version does not. */
function takenAway({ outcome: a }: ShadowTurn, { outcome: b }: ShadowTurn): string | undefined {
  if (a.kind !== "done" || b.kind === "exceeded" || b.kind === "lost") return undefined;
  const deleted = b.kind === "done" ? b.ops.filter(([, text]) => text === undefined).map(([key]) => key) : [];
  const known = new Set(deleted);
  const gone = a.ops.find(([key, text]) => text === undefined && !known.has(key));
  return gone === undefined ? undefined : `takes ctx.state.${gone[0].slice(0, SHOWN_MAX)} away`;
}
