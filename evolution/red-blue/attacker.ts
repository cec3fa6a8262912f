/**
 * An attacker: not an input but a program that makes inputs, and a schedule for them. It runs in an isolate as the defended
 * versions do, and what it makes is bounded and parsed like anything that comes out of one.
 */
import { createHash } from "node:crypto";
import { encode, SandboxError } from "../../sandbox/index.ts";
import type { CallOutcome } from "../population/program-runner.ts";
import type { Session } from "./defence.ts";
import type { Schedule } from "./schedule.ts";
import { timed, TURNS_MAX } from "./schedule.ts";

/** See the header. */
export interface Attacker {
  readonly text: string;
  readonly schedule: Schedule;
  /** One session for each: what its `random` begins with. */
  readonly seeds: readonly number[];
}

/** A session that an attacker made. Named by its content: the same one found twice is one. */
export interface Test {
  readonly id: string;
  readonly session: Session;
  /** Bytes of the session as text. */
  readonly bytes: number;
}

/** Text of one session: a hostile one is rarely better for being longer. */
const SESSION_BYTES_MAX: number = 16 << 10;
/** Name of the function that an attacker's messages are asked of. */
export const GENERATE_ENTRY = "$generate";

/** The attacker's program behind a source of chance of its own (mulberry32, Tommy Ettinger). */
export function generatorOf({ text }: Pick<Attacker, "text">): string {
  return `${text}
;function $generate($seed) {
  let $state = $seed;
  return generate(() => {
    $state = ($state + 0x6d2b79f5) | 0;
    let $bits = Math.imul($state ^ ($state >>> 15), 1 | $state);
    $bits = ($bits + Math.imul($bits ^ ($bits >>> 7), 61 | $bits)) ^ $bits;
    return (($bits ^ ($bits >>> 14)) >>> 0) / 0x100000000;
  });
}
`;
}

/** The session that a generator's outcome makes; `undefined` for one that made no messages, or too large ones. */
export function testOf(outcome: CallOutcome, schedule: Schedule): Test | undefined {
  if (outcome.kind !== "returned" || !Array.isArray(outcome.value) || outcome.value.length === 0) return undefined;
  const messages: readonly unknown[] = outcome.value.slice(0, TURNS_MAX);
  return testFrom(timed(messages, schedule));
}

/** A session with its name; `undefined` where it is too large to be kept. */
export function testFrom(session: Session): Test | undefined {
  try {
    const text = encode(session, { bytesMax: SESSION_BYTES_MAX });
    return { id: createHash("sha256").update(text).digest("hex").slice(0, 32), session, bytes: text.length };
  } catch (error) {
    if (error instanceof SandboxError) return undefined; // too large or too deep to be sent at all
    throw error;
  }
}
