/**
 * Hostile messages for one agent, made from the messages it gets: each method in turn, a recorded argument with one of its places
 * made hostile, or a hostile argument outright. The same traffic, methods and seed give the same cases.
 *
 *   methods x arguments seen x places x hostile values -> the telling first, shuffled by seed -> dealt out method by method
 */
import type { Random, RecordedTurn } from "../../runtime/index.ts";
import { decode, encode, isReserved, SandboxError } from "../../sandbox/index.ts";
import type { AttackMessage } from "./attack.ts";
import type { HostileValue } from "./hostile-values.ts";
import { HOSTILE_VALUES } from "./hostile-values.ts";
import type { Path } from "./mutate.ts";
import { placesOf, replaced } from "./mutate.ts";

/** One case. */
export interface Case {
  readonly message: AttackMessage;
  /** What is hostile about it, for a sentence. */
  readonly what: string;
}

/** What cases are made from. */
export interface CaseSources {
  /** Those that anybody may call. */
  readonly methods: readonly string[];
  readonly turns: readonly RecordedTurn[];
  readonly count: number;
  readonly random: Random;
  /** Encoded argument. */
  readonly bytesMax: number;
}

/** Arguments of one method that are varied: the newest that differ. */
const SAMPLES_MAX = 4;
/** Text of an argument that is varied: a longer one costs more to vary than it is worth. */
const SAMPLE_UNITS_MAX = 32 << 10;
/** Worlds that one honest message meets. */
const WORLDS = 12;
/** So few that each of them meets every place of a usual argument within one agent's share of the cases. */
const VALUES_AT_ONCE = 7;

/** An argument that was seen, by method. */
interface Sample {
  readonly kind: "call" | "cast";
  readonly value: unknown;
}

interface Draft {
  readonly sample: Sample;
  readonly path: Path;
  readonly hostile: HostileValue;
}

/** At most `count` cases. Pure but for the draws from `random`. */
export function generateCases(sources: CaseSources): readonly Case[] {
  const methods = sources.methods.filter((method) => !isReserved(method));
  const hands = methods.map((method) => ({ method, drafts: draftsOf(samplesOf(sources, method), sources.random) }));
  const cases: Case[] = [];
  for (let round = 0; cases.length < sources.count; round++) {
    const dealt = hands.filter(({ drafts }) => round < drafts.length);
    if (dealt.length === 0) break;
    for (const { method, drafts } of dealt) {
      const made = caseOf(method, drafts[round]!, sources.bytesMax); // dealt has only hands that are long enough
      if (made !== undefined && cases.length < sources.count) cases.push(made);
    }
  }
  return cases;
}

/**
 * Honest messages of turns that asked the outside, each several times: what is hostile is the world's answer. The newest of each method
 * that differ, method by method; at most a quarter of `count`.
 */
export function behindQuestions(turns: readonly RecordedTurn[], count: number): readonly Case[] {
  const asking = turns.filter(({ asks }) => asks.length > 0);
  const methods = [...new Set(asking.map(({ method }) => method))];
  const messages = methods.flatMap((method) => {
    const texts = new Map(asking.filter((turn) => turn.method === method).map((turn) => [turn.text, turn]));
    return [...texts.values()].slice(-SAMPLES_MAX);
  });
  const wanted = messages.length === 0 ? 0 : Math.min(Math.floor(count / 4), messages.length * WORLDS);
  return Array.from({ length: wanted }, (_, index) => {
    const { kind, method, text } = messages[index % messages.length]!; // within the list
    return { message: { kind, method, text }, what: "made-up answers of the outside" };
  });
}

/** The newest arguments of a method that differ; one without an argument where there are none. */
function samplesOf({ turns }: CaseSources, method: string): readonly Sample[] {
  const seen = new Map<string, Sample>();
  for (const turn of turns.toReversed()) {
    if (turn.method !== method || turn.text.length > SAMPLE_UNITS_MAX || seen.has(turn.text)) continue;
    seen.set(turn.text, { kind: turn.kind, value: decode(turn.text, { bytesMax: turn.text.length * 4 }) });
    if (seen.size >= SAMPLES_MAX) break;
  }
  return seen.size > 0 ? [...seen.values()] : [{ kind: "call", value: undefined }];
}

/** All variations of a method's arguments, in the order in which they are tried: of a few values in every place, of a few more … */
function draftsOf(samples: readonly Sample[], random: Random): readonly Draft[] {
  const places = samples.flatMap((sample) => placesOf(sample.value).map((path) => ({ sample, path })));
  const drafts: Draft[] = [];
  for (let at = 0; at < HOSTILE_VALUES.length; at += VALUES_AT_ONCE) {
    const values = HOSTILE_VALUES.slice(at, at + VALUES_AT_ONCE);
    drafts.push(
      ...shuffled(
        values.flatMap((hostile) => places.map((place) => ({ ...place, hostile }))),
        random,
      ),
    );
  }
  return drafts;
}

function caseOf(method: string, { sample, path, hostile }: Draft, bytesMax: number): Case | undefined {
  try {
    const text = encode(replaced(sample.value, path, hostile.value), { bytesMax });
    const place = path.length === 0 ? "" : ` at ${path.join(".")}`;
    return { message: { kind: sample.kind, method, text }, what: `${hostile.what}${place}` };
  } catch (error) {
    if (error instanceof SandboxError) return undefined; // too large or too deep to be sent at all
    throw error;
  }
}

/** In an order of its own; Fisher and Yates. */
function shuffled<T>(items: readonly T[], random: Random): T[] {
  const list = [...items];
  for (let last = list.length - 1; last > 0; last--) {
    const other = random.next32() % (last + 1); // the bias of the remainder is far below what an order could show
    [list[last], list[other]] = [list[other]!, list[last]!]; // both within the list
  }
  return list;
}
