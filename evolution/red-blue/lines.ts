/**
 * Attacks as the arbiter keeps them: what was found here once is met by every later candidate of the agent. The agent must take a
 * turn, `{ message, at }`, by the method that is named.
 */
import { encode } from "../../sandbox/index.ts";
import { keptAttack } from "../attacks/attack.ts";
import { toLines } from "../attacks/lines.ts";
import type { Test } from "./attacker.ts";
import type { Harm } from "./defence.ts";

/** An attack that brought a version down. */
export interface Success {
  readonly test: Test;
  readonly harm: Harm;
  /** Text of a version that it did this to. */
  readonly felled: string;
  /** Round in which it was found. */
  readonly round: number;
}

/** Bytes of one message: sessions are bounded far below. */
const MESSAGE_BYTES_MAX: number = 64 << 10;

/** Lines of JSON for `arbiter.attacks.import`. Repeats exactly: where others have a time, these have their round. */
export function attackLines(
  successes: readonly Success[],
  { agent, method }: { agent: string; method: string },
): string {
  return toLines(
    successes.map(({ test, harm, round }) =>
      keptAttack({
        agent,
        messages: test.session.map((turn) => ({
          kind: "call",
          method,
          text: encode(turn, { bytesMax: MESSAGE_BYTES_MAX }),
        })),
        found: { timeMs: round, what: `${SENTENCES[harm]} (found by an evolved attacker in round ${round})` },
      }),
    ),
  );
}

const SENTENCES: Readonly<Record<Harm, string>> = {
  crash: "it threw",
  fuel: "it did not end",
  pollution: "it changed the prototype of all objects",
  forbidden: "it gave an answer that is forbidden",
  wrong: "it answered other than documented",
  exceeded: "it exceeded a limit",
};
