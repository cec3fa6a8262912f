/**
 * What is asked of a program in an isolate of its own, and what it answers: many calls in one text each way.
 *
 *     turn   <fuel> <seed> <bytesMax> <argument list>...   encoded lists (codec.ts), packed (envelope.ts)
 *     reply  (<kind><text> <fuel used>)... <counts>        one pair per call, then how often each counter was passed
 *
 * Invariant: `parseProgramReply` trusts nothing; what it returns is plain data that is not decoded yet.
 */
import { Packer } from "./envelope.ts";
import { invalid, segmentsOf } from "./protocol.ts";

/** How one call ended. `returned`: text is an encoded value. `threw`, `unfit`: text is a message. Else it is "". */
export const CallEnd = {
  returned: "R",
  threw: "T",
  /** The counters of the program were passed as often as it may. */
  fuel: "F",
  /** The stack was full. Where that happens depends on V8's mood. */
  stack: "S",
  /** It has no such function, or throws before it can be called. */
  unfit: "U",
} as const;

/** One of the letters of `CallEnd`. */
export type CallEnd = (typeof CallEnd)[keyof typeof CallEnd];

/** Method of the one turn that a program takes. */
export const PROGRAM_METHOD = "run";
/** Calls in one turn: each may need an entry of its own, and the cell enters 16 times (lane.ts). */
export const PROGRAM_CALLS_MAX = 12;
/** Counters of one program. */
export const PROGRAM_COUNTERS_MAX = 65_536;

/** One call as the program said it ended. */
export interface ProgramCall {
  readonly end: CallEnd;
  readonly text: string;
  readonly fuelUsed: number;
}

/** What a turn of a program says. */
export interface ProgramReply {
  readonly calls: readonly ProgramCall[];
  /** How often each counter was passed, all calls together. */
  readonly counts: Uint32Array;
}

const ENDS: ReadonlySet<string> = new Set(Object.values(CallEnd));
/** Segments in front of the first call. */
const HEAD = 3;

/**
 * The text of a turn. `fuel` is for each call; each begins the same stream of chance; `bytesMax` is for each value that is
 * returned. Lists of arguments are encoded by `encode`.
 */
export function programTurn(options: {
  readonly fuel: number;
  readonly seed: number;
  readonly bytesMax: number;
  readonly lists: readonly string[];
}): string {
  const packer = new Packer();
  packer.add(`${options.fuel}`);
  packer.add(`${options.seed}`);
  packer.add(`${options.bytesMax}`);
  for (const list of options.lists) packer.add(list);
  return packer.text;
}

/** Segments of a turn at most. */
export const PROGRAM_TURN_SEGMENTS_MAX: number = HEAD + PROGRAM_CALLS_MAX;

/**
 * The reply to a turn of `calls` calls, of a program that has `counters` counters.
 * @throws {SandboxError} SANDBOX_ENVELOPE_INVALID when no honest guest says it.
 */
export function parseProgramReply(
  text: string,
  expected: { readonly calls: number; readonly counters: number; readonly fuel: number },
): ProgramReply {
  const segments = segmentsOf(text, 0, 2 * expected.calls + 1);
  if (segments.length !== 2 * expected.calls + 1) throw invalid("it answers other calls than were made");
  const calls = Array.from({ length: expected.calls }, (_, index) =>
    callOf(segments[2 * index] ?? "", segments[2 * index + 1] ?? "", expected.fuel),
  );
  return { calls, counts: countsOf(segments.at(-1) ?? "", expected.counters) };
}

function callOf(said: string, used: string, fuel: number): ProgramCall {
  const end = said.slice(0, 1);
  if (!ENDS.has(end)) throw invalid("a call ended in a way that there is not");
  const fuelUsed = integerOf(used);
  if (fuelUsed > fuel) throw invalid("a call used more fuel than there was");
  return { end: end as CallEnd, text: said.slice(1), fuelUsed }; // one of the letters, as just checked
}

function countsOf(text: string, counters: number): Uint32Array {
  const counts = new Uint32Array(counters);
  if (counters === 0 && text === "") return counts;
  const parts = text.split(",", counters + 1);
  if (parts.length !== counters) throw invalid("it counts other places than there are");
  for (const [index, part] of parts.entries()) counts[index] = integerOf(part);
  return counts;
}

const INTEGER = /^\d{1,16}$/;

function integerOf(text: string): number {
  if (!INTEGER.test(text)) throw invalid("a figure is none");
  return Number(text);
}
