/**
 * Turns as the user's own functions see them (fitness, isFailure, clean, session): decoded values instead of texts.
 *
 * Invariants
 * 1. A candidate's text is decoded within its own length; one that does not decode is an error of the candidate, never of ours.
 * 2. What a user's function throws, or a value it must not return, is a `UserFault`: it says nothing about the candidate.
 */
import type { RecordedTurn } from "../../runtime/index.ts";
import { decode } from "../../sandbox/index.ts";
import type { Outcome } from "../../sandbox/index.ts";
import type { ArbiterOptions, JudgedTurn } from "../options.ts";

/** A function that the user gave is at fault. */
export class UserFault extends Error {
  override readonly name = "UserFault";
}

/** How a turn ended, whoever ran it: its reply as text, or the name and message of what was thrown. */
export type Ended =
  | { readonly ok: true; readonly reply: string }
  | { readonly ok: false; readonly name: string; readonly message: string };

/** A shadow's outcome in the words of a recorded result. Pure. */
export function endedOf(outcome: Outcome): Ended {
  switch (outcome.kind) {
    case "done":
      return { ok: true, reply: outcome.reply };
    case "threw":
      return { ok: false, name: outcome.fault.name, message: outcome.fault.message };
    case "exceeded":
    case "lost":
      return { ok: false, name: outcome.code, message: outcome.message };
  }
}

/** The turn with this end as values. A reply that does not decode is an error of its own. */
export function judgedTurn({ method, text }: Pick<RecordedTurn, "method" | "text">, ended: Ended): JudgedTurn {
  const argument = valueOf(text).value;
  if (!ended.ok) return { method, argument, error: { name: ended.name, message: ended.message } };
  const reply = valueOf(ended.reply);
  if (reply.isReadable) return { method, argument, reply: reply.value };
  return { method, argument, error: { name: "TypeError", message: "its reply does not decode" } };
}

/** Calls the user's `fitness`; `undefined` where it has no opinion. Throws UserFault unless it returns that or a number from 0 to 1. */
export function fitnessOf(fitness: NonNullable<ArbiterOptions["fitness"]>, turn: JudgedTurn): number | undefined {
  const value = guarded("fitness", () => fitness(turn));
  if (value === undefined || (typeof value === "number" && value >= 0 && value <= 1)) return value;
  throw new UserFault(
    `fitness returned ${String(value)} for ${turn.method}: it must be a number from 0 to 1, or undefined where the answer must be equal`,
  );
}

/** Calls the user's `isFailure`. Throws UserFault unless it returns true or false: every promise would be true. */
export function failureOf(isFailure: NonNullable<ArbiterOptions["isFailure"]>, turn: JudgedTurn): boolean {
  const value: unknown = guarded("isFailure", () => isFailure(turn));
  if (typeof value === "boolean") return value;
  throw new UserFault(`isFailure returned ${String(value)} for ${turn.method}: it must be true or false`);
}

/** Calls a function of the user's. Throws UserFault with its message where it throws. */
export function guarded<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new UserFault(`${name} threw: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** The value of an encoded text; arguments of recorded turns are always readable. */
export function valueOf(text: string): { readonly isReadable: boolean; readonly value: unknown } {
  try {
    return { isReadable: true, value: decode(text, { bytesMax: Math.max(64, text.length * 4) }) };
  } catch {
    return { isReadable: false, value: undefined };
  }
}
