/**
 * A new definition for a supervisor that runs (OTP's `code_change`): new rules and specs, and nothing is started or stopped.
 * Children that the new definition does not name stay, behind those it names; those it adds are there, stopped.
 */
import type { Definition, Reply } from "./contract.ts";
import { childOf, childrenOf, rosterOf } from "./roster.ts";
import type { Child } from "./roster.ts";
import { isDynamic } from "./state.ts";
import type { Draft } from "./state.ts";

/**
 * Takes the definition over. Refused where children with ids would have to become children without, or the other way
 * round: OTP accepts that and has lost its children.
 */
export function upgrade(draft: Draft, { flags, children }: Definition): Reply {
  if (flags.strategy !== draft.flags.strategy && (isDynamic({ flags }) || isDynamic(draft)))
    return { type: "refused", error: "invalid_strategy", value: flags.strategy };
  draft.flags = flags;
  if (isDynamic(draft)) {
    if (flags.strategy === "simple_one_for_one") draft.template = children[0];
    return { type: "ok" };
  }
  const before = draft.children;
  const named = children.map((spec): Child => ({
    spec,
    status: childOf(before, spec.id)?.status ?? { type: "stopped" },
  }));
  const ids = new Set(children.map(({ id }) => id));
  draft.children = rosterOf([...named, ...childrenOf(before).filter(({ spec }) => !ids.has(spec.id))]);
  return { type: "ok" };
}
