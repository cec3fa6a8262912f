/**
 * Attacks made as small as they can be before they are kept: the fewest messages that still do the same harm to the version that fell,
 * then the simplest values in them, then times without gaps. What is found by evolution is long by accident; what every later
 * version meets should say what the hole is.
 *
 * Invariants
 * 1. An attack that is kept was seen to do the same to the version that fell, and to each of the first versions, as the one that it
 *    comes from: a smaller attack on another hole of the same version would hide this one.
 * 2. Bounded: `TRIES_MAX` sessions for each attack. Deterministic, with any number of workers.
 */
import { ddmin, Tries } from "../attacks/ddmin.ts";
import { simplerValues } from "../attacks/shrink.ts";
import type { Test } from "./attacker.ts";
import { testFrom } from "./attacker.ts";
import type { BoutOptions } from "./bouts.ts";
import { Bouts, Version } from "./bouts.ts";
import type { Session } from "./defence.ts";
import type { Success } from "./lines.ts";

/** Sessions that are played to make one attack smaller. */
const TRIES_MAX = 200;

/** What became of attacks. */
export interface Shrunk {
  /** Each once, in the order in which they were found. */
  readonly successes: readonly Success[];
  /** Sessions that were tried for it. */
  readonly tries: number;
}

/** The attacks, made smaller; those that become the same are one. Rejects with what the runner rejects with. */
export async function shrunk(successes: readonly Success[], options: BoutOptions): Promise<Shrunk> {
  const bouts = new Bouts(options);
  const texts = [...options.defence.versions, ...successes.map(({ felled }) => felled)];
  const versions = new Map(texts.map((text) => [text, new Version(text)]));
  const small = await Promise.all(
    successes.map(async (success) => {
      const panel = [...versions.values()].filter(
        ({ text }) => text === success.felled || options.defence.versions.includes(text),
      );
      await bouts.play(panel, [success.test]);
      const isSame = (test: Test): boolean => panel.every((each) => each.harm(test) === each.harm(success.test));
      const first = async (candidates: readonly Session[]): Promise<number> => {
        const tests = candidates.map(testFrom);
        await bouts.play(panel, tests.filter(isTest));
        return tests.findIndex((test) => test !== undefined && isSame(test));
      };
      const tries = new Tries({ triesMax: TRIES_MAX, first });
      const test = testFrom(await smallest(success.test.session, tries)) ?? success.test;
      return { success: { ...success, test }, tries: tries.spent };
    }),
  );
  const unique = new Map<string, Success>();
  for (const { success } of small) if (!unique.has(success.test.id)) unique.set(success.test.id, success);
  return { successes: [...unique.values()], tries: small.reduce((sum, each) => sum + each.tries, 0) };
}

async function smallest(session: Session, tries: Tries<Session>): Promise<Session> {
  let best = await ddmin(session, tries);
  for (let simpler: Session | undefined = best; simpler !== undefined; best = simpler ?? best)
    simpler = await tries.first(simplerSessions(best));
  return best;
}

/** Sessions with one message simpler, or one that comes at once after the one before. */
function simplerSessions(session: Session): readonly Session[] {
  return session.flatMap((turn, index) => {
    const { message, at } = turn;
    const atOnce = session[index - 1]?.at ?? 0;
    return [
      ...simplerValues(message).map((simpler) => session.with(index, { message: simpler, at })),
      ...(at > atOnce ? [session.with(index, { message, at: atOnce })] : []),
    ];
  });
}

function isTest(test: Test | undefined): test is Test {
  return test !== undefined;
}
