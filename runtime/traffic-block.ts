/**
 * What a kept turn and the list of blocks look like as bytes in the vault: `docs/FORMAT.md` has the picture.
 *
 *   m                 { format, branch, version, origin, next, blocks: [[first, count, bytes], ...] }  (JSON)
 *   b:<first>         one turn a line, each a JSON array; `first` is the number of the first, in 12 digits
 *
 * Invariant: what these functions read back is what was written, or undefined. Nothing is guessed.
 */
import type { RecordedAsk } from "./message.ts";
import type { RecordedTurn } from "./traffic.ts";

/** Raised when a record could be misread by a version that does not know the change. Others are not read. */
const TRAFFIC_FORMAT = 1;

/** Where the list of blocks stands. */
export const LIST_KEY = "m";

/** Consecutive turns that were written together. */
export interface TrafficBlock {
  /** Number of its first turn. */
  readonly first: number;
  readonly count: number;
  readonly bytes: number;
}

/** Whose turns they are. Those of another branch, state version or deployed code are nobody's measure. */
export interface TrafficOwner {
  /** The agent's branch. */
  readonly branch: number;
  /** The version of its state. */
  readonly version: number;
  /** Hash of the code that its owner gave. */
  readonly origin: string;
}

/** What is known of a ring. */
export interface TrafficList {
  readonly owner: TrafficOwner;
  /** The number of the next turn. */
  readonly next: number;
  readonly blocks: readonly TrafficBlock[];
}

/** The key of a block. Twelve digits keep byte order and number order the same. */
export function blockKey(first: number): string {
  return `b:${String(first).padStart(12, "0")}`;
}

/** A turn as a line without a line feed. */
export function turnLine(turn: RecordedTurn): string {
  const { kind, method, text, nowMs, seed, cpuMs, beforeSeq, result, asks, from, callId, entropy, isAfterGap } = turn;
  const end = result.ok ? [result.reply] : [result.name, result.message];
  const said = asks.map(({ verb, text, answer }) =>
    answer.ok ? [verb, text, answer.text] : [verb, text, answer.code, answer.message],
  );
  const rest = [from ?? 0, callId ?? 0, entropy ?? 0, isAfterGap === true ? 1 : 0];
  return JSON.stringify([kind === "call" ? 1 : 0, method, text, nowMs, seed, cpuMs, beforeSeq, end, said, ...rest]);
}

/** The turns of a block; undefined where it is none. */
export function turnsIn(block: string): readonly RecordedTurn[] | undefined {
  const turns: RecordedTurn[] = [];
  for (const text of block.split("\n")) {
    const line = parsed(text);
    if (!Array.isArray(line) || line.length !== 13) return undefined;
    turns.push(turnOf(line));
  }
  return turns;
}

function turnOf(line: readonly unknown[]): RecordedTurn {
  const [kind, method, text, nowMs, seed, cpuMs, beforeSeq, end, said, from, callId, entropy, gap] =
    line as unknown as Line; // written by turnLine alone, under a checksum
  return {
    kind: kind === 1 ? "call" : "cast",
    method,
    text,
    nowMs,
    seed,
    cpuMs,
    beforeSeq,
    result: end.length === 1 ? { ok: true, reply: end[0] } : { ok: false, name: end[0], message: end[1] },
    asks: said.map(([verb, text, answer, message]) => ({
      verb,
      text,
      answer: message === undefined ? { ok: true, text: answer } : { ok: false, code: answer, message },
    })),
    ...(from === 0 ? {} : { from }),
    ...(callId === 0 ? {} : { callId }),
    ...(entropy === 0 ? {} : { entropy }),
    ...(gap === 0 ? {} : { isAfterGap: true }),
  };
}

type Line = readonly [
  kind: 0 | 1,
  method: string,
  text: string,
  nowMs: number,
  seed: number,
  cpuMs: number,
  beforeSeq: number,
  end: readonly [reply: string] | readonly [name: string, message: string],
  said: readonly (readonly [verb: string, text: string, answer: string, message?: string])[],
  from: string | 0,
  callId: string | 0,
  entropy: string | 0,
  gap: 0 | 1,
];

/** The list as text. */
export function listText({ owner, next, blocks }: TrafficList): string {
  const entries = blocks.map(({ first, count, bytes }) => [first, count, bytes]);
  return JSON.stringify({ format: TRAFFIC_FORMAT, ...owner, next, blocks: entries });
}

/** The list; undefined where it is none, or of another format. */
export function listIn(text: string): TrafficList | undefined {
  const list = parsed(text) as ListRecord | undefined; // written by listText alone, of this version or another
  if (list?.format !== TRAFFIC_FORMAT) return undefined;
  const { branch, version, origin, next } = list;
  const blocks = list.blocks.map(([first, count, bytes]) => ({ first, count, bytes }));
  return { owner: { branch, version, origin }, next, blocks };
}

interface ListRecord extends TrafficOwner {
  readonly format: number;
  readonly next: number;
  readonly blocks: readonly (readonly [first: number, count: number, bytes: number])[];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The same turn as the first of a run. */
export function afterGap(turn: RecordedTurn): RecordedTurn {
  return { ...turn, isAfterGap: true };
}

/** About how large a turn is: all texts that come from outside, and a flat charge for the rest of the record. In UTF-16 units. */
export function turnSize({ method, text, result, asks }: RecordedTurn): number {
  const reply = result.ok ? result.reply.length : result.name.length + result.message.length;
  return 128 + method.length + text.length + reply + asks.reduce((sum, ask) => sum + sizeOfAsk(ask), 0);
}

function sizeOfAsk({ verb, text, answer }: RecordedAsk): number {
  return verb.length + text.length + (answer.ok ? answer.text.length : answer.code.length + answer.message.length);
}
