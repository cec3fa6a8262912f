/** One seed of the experiment: the duel under each pressure, and the attacks that neither of them has seen. */
import type { ProgramRunner } from "../../population/program-runner.ts";
import type { Test } from "../../red-blue/attacker.ts";
import { testFrom } from "../../red-blue/attacker.ts";
import { Bouts, Version } from "../../red-blue/bouts.ts";
import type { Defence } from "../../red-blue/defence.ts";
import type { DuelResult, Pressure, Round } from "../../red-blue/duel.ts";
import { duel, FUEL } from "../../red-blue/duel.ts";
import { systemClock } from "../../../vault/index.ts";
import { seedOf } from "../draws.ts";
import { answersTo, hasMarkup, trafficOf } from "./desk.ts";
import { ATTACKERS, VERSIONS, WORDS } from "./texts.ts";

/** Sessions of ordinary traffic that decide who serves. */
const TRAFFIC = 4;
/** Rounds in which the attacks that are held out are bred: they belong to no arm's budget. */
const HELD_ROUNDS = 25;
/** Attacks of one kind. */
const KIND_MAX = 20;
/** Ordinary sessions that are counted at the end. */
const HELD_SESSIONS = 20;
/** Purposes of seeds. */
const HELD = 0x4e1d;
const HELD_TRAFFIC = 0x7aff;

/** The desk of a seed. */
export function deskOf(seed: number): Defence {
  return {
    name: "desk",
    versions: VERSIONS,
    traffic: trafficOf(seed, TRAFFIC),
    attackers: ATTACKERS,
    words: WORDS,
    expected: answersTo,
    isForbidden: hasMarkup,
  };
}

/** What it is played with. */
export interface PlayOptions {
  readonly seed: number;
  /** Of each arm. */
  readonly evaluations: number;
  /** Wall time of each arm, where that is what ends it. */
  readonly ms?: number;
  readonly runner: Pick<ProgramRunner, "run">;
  readonly signal: AbortSignal;
  readonly onRound: (arm: ArmName, round: Round) => void;
  /** Default: all. */
  readonly arms?: readonly ArmName[];
}

/** What a version stands, in per cent. */
export interface Standing {
  /** Attacks that do the same to each of the first versions are one kind; the mean over the kinds of the share it stands. */
  readonly held: number;
  readonly traffic: number;
}

/** What is compared: where attacks come from, and by what attackers are chosen. */
export type ArmName = "evolved" | "guided" | "drawn" | "first";

/** One arm. */
export interface Arm {
  readonly name: ArmName;
  readonly result: DuelResult;
  readonly standing: Standing;
}

/** What one seed came to. */
export interface Played {
  readonly arms: readonly Arm[];
  /** Of the first versions. */
  readonly before: readonly Standing[];
  readonly heldAttacks: number;
  readonly heldKinds: number;
}

const ARMS: readonly { readonly name: ArmName; readonly pressure: Pressure; readonly isGuided: boolean }[] = [
  { name: "evolved", pressure: "evolved", isGuided: false },
  { name: "guided", pressure: "evolved", isGuided: true },
  { name: "drawn", pressure: "drawn", isGuided: false },
  { name: "first", pressure: "first", isGuided: false },
];
/** All arms. */
export const ARM_NAMES: readonly ArmName[] = ARMS.map(({ name }) => name);

/** Plays one seed: equal arms, each with the whole number of evaluations. */
export async function play(options: PlayOptions): Promise<Played> {
  const { seed, evaluations, ms, runner, signal, onRound, arms: wanted = ARM_NAMES } = options;
  const defence = deskOf(seed);
  const kinds = await heldKinds(seed, { runner, signal });
  const standingOf = (text: string): Promise<Standing> => standing(text, kinds, { seed, runner });
  const arms: Arm[] = [];
  for (const { name, pressure, isGuided } of ARMS) {
    if (signal.aborted) break;
    if (!wanted.includes(name)) continue;
    const over = new AbortController();
    const late = (): void => over.abort(new Error("the time of this arm is over"));
    const timer = ms === undefined ? undefined : systemClock.after(ms, late);
    const until = AbortSignal.any([signal, over.signal]);
    const limits = { seed, evaluations, signal: until };
    const result = await duel({
      defence,
      runner,
      pressure,
      isGuided,
      ...limits,
      onRound: (round) => onRound(name, round),
    });
    timer?.cancel();
    arms.push({ name, result, standing: await standingOf(result.champion) });
  }
  const before = await Promise.all(VERSIONS.map(standingOf));
  return { arms, before, heldAttacks: kinds.flat().length, heldKinds: kinds.length };
}

/**
 * Attacks of another seed that broke a first version: bred against the first versions alone, which stay as they are. By kind, the first
 * few of each: one hole is found a hundred times, another one twice.
 */
async function heldKinds(
  seed: number,
  { runner, signal }: Pick<PlayOptions, "runner" | "signal">,
): Promise<readonly (readonly Test[])[]> {
  const other = seedOf(seed, HELD);
  const defence = deskOf(other);
  const options = {
    defence,
    runner,
    seed: other,
    pressure: "evolved",
    isBlueEvolving: false,
  } as const;
  const { successes } = await duel({ ...options, evaluations: Infinity, rounds: HELD_ROUNDS, signal });
  const tests = successes.map(({ test }) => test);
  const versions = VERSIONS.map((text) => new Version(text));
  await judge(defence, runner).play(versions, tests);
  const kinds = Map.groupBy(tests, (test) => versions.map((version) => version.harm(test) ?? "").join());
  return [...kinds.values()].map((kind) => kind.slice(0, KIND_MAX));
}

async function standing(
  text: string,
  kinds: readonly (readonly Test[])[],
  { seed, runner }: Pick<PlayOptions, "seed" | "runner">,
): Promise<Standing> {
  const traffic = trafficOf(seedOf(seed, HELD_TRAFFIC), HELD_SESSIONS).flatMap((session) => testFrom(session) ?? []);
  const version = new Version(text);
  await judge(deskOf(seed), runner).play([version], [...kinds.flat(), ...traffic]);
  const share = (list: readonly Test[]): number => list.filter((test) => !version.hasFallen(test)).length / list.length;
  const shares = kinds.map(share);
  return {
    held: (100 * shares.reduce((sum, each) => sum + each, 0)) / shares.length,
    traffic: 100 * share(traffic),
  };
}

/** Not within any budget, and not ended by the signal: what was found is judged. */
function judge(defence: Defence, runner: PlayOptions["runner"]): Bouts {
  return new Bouts({ defence, runner, fuel: FUEL, signal: new AbortController().signal });
}
