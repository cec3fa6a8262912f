/**
 * What is defended: versions of a small stateful program, what its documents promise, and the traffic it lives on. All but the
 * versions stays in the Guardian; a version sees one message after the other and the time of each, and nothing of what is expected.
 *
 *     session [{ message, at }, …] --version in an isolate--> answers --judge--> harm, or none
 */
import { isSameValue } from "../compare.ts";
import type { CallOutcome } from "../population/program-runner.ts";
import { branched, waysIn } from "./branches.ts";

/** One message and the time at which it comes, in ms since the session began. Times never go back. */
export interface Turn {
  readonly message: unknown;
  readonly at: number;
}

/** Messages to one version, from its first state on. */
export type Session = readonly Turn[];

/** What a session does to a version. `exceeded` depends on the machine: it fails a version, and pays no attacker. */
export type Harm = "crash" | "fuel" | "pollution" | "forbidden" | "wrong" | "exceeded";

/** See the header. */
export interface Defence {
  readonly name: string;
  /** Texts with `start()`, the first state, and `receive(state, message, at)`, the answer. The first parents. */
  readonly versions: readonly string[];
  /** What a version must get right, all of it, or it is none. */
  readonly traffic: readonly Session[];
  /** Texts with `generate(random)`, a list of messages; `random()` is in [0, 1). The first attackers. */
  readonly attackers: readonly string[];
  /** Pieces that texts in messages are made of. */
  readonly words: readonly string[];
  /** The documented answers to a session. Never throws. */
  expected(session: Session): readonly unknown[];
  /** An answer that must never be given, whatever was asked: worse than a wrong one. */
  isForbidden(answer: unknown): boolean;
}

/** How bad each harm is, from 0 to 1. */
export const SEVERITY: Readonly<Record<Harm, number>> = {
  forbidden: 1,
  pollution: 1,
  fuel: 0.9,
  crash: 0.8,
  wrong: 0.6,
  exceeded: 0,
};

/** What the outcome of `PLAY` says of a version; `undefined`: it did all that is documented. The outcome is hostile: only compared. */
export function harmOf(defence: Defence, session: Session, outcome: CallOutcome): Harm | undefined {
  switch (outcome.kind) {
    case "threw":
    case "unfit":
      return "crash";
    case "fuel":
      return "fuel";
    case "exceeded":
      return "exceeded";
    case "returned":
      return harmIn(defence, session, outcome.value);
    default:
      return outcome satisfies never;
  }
}

function harmIn(defence: Defence, session: Session, value: unknown): Harm | undefined {
  if (!Array.isArray(value) || value.length !== 3) return "wrong";
  const [answers, polluted]: readonly unknown[] = value;
  if (!Array.isArray(answers) || !Array.isArray(polluted)) return "wrong";
  if (polluted.length > 0) return "pollution";
  if (answers.some((answer) => defence.isForbidden(answer))) return "forbidden";
  return isSameValue(defence.expected(session), answers) ? undefined : "wrong";
}

/** Name of the function that plays a session. */
export const PLAY_ENTRY = "$play";

/** A version as a program that plays sessions. */
export interface Player {
  readonly text: string;
  /** The ways through it that an outcome tells of; none where it came to no end. Hostile: a hint, and no more. */
  waysIn(outcome: CallOutcome): readonly number[];
}

/**
 * The version as a program that plays a session: answers, what it left on the prototype of all objects, which is taken away again, and
 * how often each of its branches was entered. Behind the version's text, so that no name of its own stands in the place of ours.
 */
export function playerOf(version: string): Player {
  const { code, name, branches } = branched(version);
  const text = `${code}
;function $play($turns) {
  const $found = [];
  const $answers = [];
  try {
    const $state = start();
    for (const $turn of $turns) $answers.push(receive($state, $turn.message, $turn.at));
  } finally {
    for (const $key in {}) $found.push($key);
    for (const $key of $found) delete Object.prototype[$key];
  }
  return [$answers, $found, ${name}];
}
`;
  return {
    text,
    waysIn: ({ kind, ...outcome }) =>
      kind === "returned" && "value" in outcome && Array.isArray(outcome.value)
        ? waysIn(outcome.value[2], branches)
        : [],
  };
}
