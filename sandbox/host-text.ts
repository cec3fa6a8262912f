/**
 * The questions of `ctx.host`, as texts. The guest writes them; the Guardian parses them as hostile bytes.
 *
 *     into the guest, at load    {"weather":["forecast"],…}   what was granted, with its verbs
 *     host       name, verb, arguments (encoded list)   ->  "=" + encoded value | "~" + number of a stream
 *     host.next  number of a stream, batch              ->  "1" (more may come) or "0", then encoded parts
 *     host.end   number of a stream                     ->  ""
 *
 * A stream's number is its own among those of its message, and batches are counted from 0, so every question has words that
 * a turn which is run again repeats.
 */
import { pack, unpack, Unpacker } from "./envelope.ts";
import { bare, filled, jsonParse } from "./guest/primordials.ts";
import { invalid, parseName, segmentsOf } from "./protocol.ts";

/** The verbs. */
export const HOST = "host";
export const HOST_NEXT = "host.next";
export const HOST_END = "host.end";

/** What the answer to a call begins with: a value, or the number of a stream. */
export const HOST_VALUE = "=";
export const HOST_STREAM = "~";

/** A batch of a stream begins with it where more may come … */
const STREAM_GOES_ON = "1";
/** … and with this where it was the last one. */
export const STREAM_IS_OVER = "0";

/** Parts of a stream in one answer. */
export const BATCH_PARTS_MAX = 1_024;

/** What an agent was granted: capabilities with their verbs, by name. */
export type HostSurface = Readonly<Record<string, readonly string[]>>;

/** A call as the guest puts it. */
export interface HostCall {
  readonly name: string;
  readonly verb: string;
  /** The list of arguments, encoded. */
  readonly args: string;
}

/** The surface as one text; "" where nothing was granted. */
export function surfaceText(surface: HostSurface): string {
  return Object.keys(surface).length === 0 ? "" : JSON.stringify(surface);
}

/** The surface behind a text of `surfaceText`. For the guest. */
export function surfaceOf(text: string): HostSurface {
  return text === "" ? {} : (jsonParse(text) as HostSurface); // written by surfaceText
}

/** True for the questions of this file. */
export function isHostVerb(verb: string): boolean {
  return verb === HOST || verb === HOST_NEXT || verb === HOST_END;
}

/** The text of a call. */
export function hostCallText({ name, verb, args }: HostCall): string {
  return pack([name, verb, args]);
}

/** The call behind a text, as a guest sent it. @throws {SandboxError} SANDBOX_ENVELOPE_INVALID */
export function parseHostCall(text: string): HostCall {
  const [name = "", verb = "", args, ...more] = segmentsOf(text, 0, 3);
  if (args === undefined || more.length > 0) throw invalid("a call of a capability needs a name, a verb and arguments");
  return { name: parseName(name), verb: parseName(verb), args };
}

/** The text that asks for a batch of a stream. */
export function hostNextText(stream: string, batch: number): string {
  return pack([stream, `${batch}`]);
}

/** The stream and the batch that a guest asks for. @throws {SandboxError} SANDBOX_ENVELOPE_INVALID */
export function parseHostNext(text: string): { readonly stream: number; readonly batch: number } {
  const [stream = "", batch = "", ...more] = segmentsOf(text, 0, 2);
  if (more.length > 0) throw invalid("a part of a stream is named by two numbers");
  return { stream: parseStream(stream), batch: parseStream(batch) };
}

/** The number of a stream, as a guest says it. @throws {SandboxError} SANDBOX_ENVELOPE_INVALID */
export function parseStream(text: string): number {
  if (/^(?:0|[1-9]\d{0,8})$/.test(text)) return Number(text);
  throw invalid("a stream is named by a number");
}

/** A batch of a stream as one text. */
export function batchText(parts: readonly string[], isOver: boolean): string {
  return pack([isOver ? STREAM_IS_OVER : STREAM_GOES_ON, ...parts]);
}

/** The batches of a whole stream that was kept as one text of `batchText`, however many parts it has. At least one; never for a guest's text. */
export function batchesOf(whole: string): readonly string[] {
  const parts = unpack(whole, { segmentsMax: Number.POSITIVE_INFINITY }).slice(1);
  const count = Math.max(1, Math.ceil(parts.length / BATCH_PARTS_MAX));
  return Array.from({ length: count }, (_, index) => {
    const from = index * BATCH_PARTS_MAX;
    return batchText(parts.slice(from, from + BATCH_PARTS_MAX), index === count - 1);
  });
}

/** The batch behind a text of `batchText`. For the guest. */
export function batchOf(text: string): readonly string[] {
  const segments = new Unpacker(text, { segmentsMax: BATCH_PARTS_MAX + 1 });
  const parts: string[] = bare([]);
  for (let part = segments.next(); part !== undefined; part = segments.next()) parts[parts.length] = part;
  return filled(parts);
}
