/**
 * What a message did to a candidate, against what it did to the running version. Pure.
 *
 * An error that is thrown is no harm: the caller is told, nothing is written, the agent lives on. Whether more of them is too many
 * is for the stages that count.
 */
import type { ShadowTurn } from "../../runtime/index.ts";

/** Share of its CPU time from which the running version is slow itself: then a candidate that needs all of it is no worse. */
const SLOW_SHARE = 0.5;
/** Of names that a candidate made up, so much is shown. */
const SHOWN_MAX = 100;

/** What is wrong, as the end of a sentence that begins with "it"; `undefined` where the candidate stood, or the running version fell too. */
export function harmOf(
  { candidate, control }: { readonly candidate: ShadowTurn; readonly control: ShadowTurn },
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
  return beyond(candidate, control) ?? takenAway(candidate, control);
}

/** Questions to the outside of a kind that the running version did not ask. */
function beyond(candidate: ShadowTurn, control: ShadowTurn): string | undefined {
  const asked = new Set(control.effects.map(({ verb }) => verb));
  const verb = candidate.refusedEffects.find((each) => !asked.has(each));
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
