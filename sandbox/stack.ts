/**
 * Guest stacks in the words of the agent's author: positions in the TypeScript that was written, not in what was run.
 *
 * Invariant: what an agent can make this process do for its positions is bounded. A parsed map takes twenty times its text and, with a
 * megabyte of text, tens of milliseconds; so the largest are left unread, what is kept is bounded by size, and whoever makes its
 * map be parsed again and again, in turn with others, goes without after some times.
 */

import { hash } from "node:crypto";
import { SourceMap, type SourceMapPayload } from "node:module";
import { ARTIFACT_FILE, PRELUDE_FILE } from "./protocol.ts";

/** Text of the largest map that is parsed, in UTF-16 units. */
export const MAP_UNITS_MAX: number = 1 << 20;
/** Text of all parsed maps that are kept; an agent that fails in every turn should not have its map parsed in every turn. */
const MAPS_UNITS_MAX = 4 << 20;
/** How often the map of one artifact is parsed. */
const PARSES_MAX = 16;
/** Compiler's own modules and the frames that are not the agent's: the prelude, and isolated-vm's seam. */
const FOREIGN = [PRELUDE_FILE, "<isolated-vm boundary>", "planaria:", `${ARTIFACT_FILE}:1:`]; // nothing of the agent's is on line 1

/** What positions are mapped with. */
interface Mapped {
  readonly name: string;
  readonly map: string;
}

/** A map that was parsed, by the hash of its text: artifacts of the same source share it. */
interface Kept {
  readonly map: SourceMap;
  readonly units: number;
}

/** What is known of an artifact's map. */
interface Known {
  readonly key: string;
  parses: number;
}

const maps = new Map<string, Kept>();
let keptUnits = 0;
const known = new WeakMap<Mapped, Known>();

/**
 * Maps `agent.js:2:9` to `counter.agent.ts:4:9` and drops frames that are not the agent's: ours, and those of the language
 * that led to ours. A stack of anything else, or a position that the map does not know, is left as it is; where there is a map that
 * was not read, a last line says so. Never throws on a guest's text.
 */
export function mapStack(stack: string, artifact: Mapped): string {
  const map = mapOf(artifact);
  const lines = withoutOurs(stack.split("\n").map((line) => mapLine(line, map, artifact.name)));
  const isUnread =
    map === undefined && artifact.map !== "" && lines.some((line) => isFrame(line) && POSITION.test(line));
  return (isUnread ? [...lines, unreadLine(artifact)] : lines).join("\n");
}

function unreadLine({ map }: Mapped): string {
  const why =
    map.length > MAP_UNITS_MAX
      ? `its source map is longer than ${MAP_UNITS_MAX} characters`
      : `its source map was read ${PARSES_MAX} times already`;
  return `    (positions are those of the compiled code, ${ARTIFACT_FILE}: ${why})`;
}

/**
 * Where a log line was written: `2:9` of the artifact's script becomes `counter.agent.ts:4:9`. A position that the map does
 * not know is one in `agent.js`; "" stays "".
 */
export function mapPosition(at: string, artifact: Mapped): string {
  if (at === "") return "";
  return mapText(`${ARTIFACT_FILE}:${at}`, mapOf(artifact), artifact.name);
}

/**
 * A text of the agent's that may hold stacks: an error that it logged, as it is or in a field, where its lines are parted by "\\n" as JSON
 * writes them. Cheap where it holds none.
 */
export function mapLog(text: string, artifact: Mapped): string {
  if (!text.includes(ARTIFACT_FILE) && !text.includes(PRELUDE_FILE)) return text;
  return mapStack(text, artifact).replaceAll(FRAMES_IN_JSON, (frames) =>
    mapStack(frames.replaceAll("\\n", "\n"), artifact).replaceAll("\n", "\\n"),
  );
}

/** A run of frames within a text of JSON, each behind a "\\n" of its own. */
const FRAMES_IN_JSON = /(?:\\n {4,64}at (?:[^"\\\n]|\\[^n\n])*)+/g;

function mapLine(line: string, map: SourceMap | undefined, name: string): string {
  return isFrame(line) ? mapText(line, map, name) : line;
}

function mapText(text: string, map: SourceMap | undefined, name: string): string {
  if (map === undefined) return text;
  return text.replace(POSITION, (found, row: string, column: string) => {
    // The beginning of what stands there: counting on from it, as `findOrigin` does, would count the blanks that were left out.
    const entry = map.findEntry(Number(row) - 1, Number(column) - 1);
    if (!("originalSource" in entry) || entry.generatedLine !== Number(row) - 1) return found;
    return `${sourceName(entry.originalSource, name)}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}

/** In one pass, because a guest decides how long it is. What a frame called stands above it. */
function withoutOurs(lines: readonly string[]): readonly string[] {
  let calledOurs = false;
  return lines.filter((line) => {
    if (!isNative(line)) calledOurs = isForeign(line);
    return !calledOurs;
  });
}

function isForeign(line: string): boolean {
  return isFrame(line) && FOREIGN.some((mark) => line.includes(mark));
}

/** A frame of the language itself: `new Promise (<anonymous>)`. */
function isNative(line: string): boolean {
  return isFrame(line) && line.endsWith("(<anonymous>)");
}

const POSITION: RegExp = new RegExp(`${ARTIFACT_FILE.replace(".", "\\.")}:(\\d{1,9}):(\\d{1,9})`);

/** Indented as V8 does it, or deeper: within a group of the log. */
function isFrame(line: string): boolean {
  return /^ {4,64}at /.test(line);
}

/** The entry has its own name whether it was a file or a text; imports keep their path relative to it. */
function sourceName(fileName: string, name: string): string {
  return fileName === `text:${name}` ? name : fileName;
}

/** The map of an artifact; undefined where it has none, or one that is not to be read. */
function mapOf(artifact: Mapped): SourceMap | undefined {
  const { map: text } = artifact;
  if (text === "" || text.length > MAP_UNITS_MAX) return undefined;
  const about = known.get(artifact) ?? { key: hash("sha256", text, "base64"), parses: 0 };
  known.set(artifact, about);
  const kept = maps.get(about.key);
  if (kept !== undefined) {
    // The one that was used last is forgotten last.
    maps.delete(about.key);
    maps.set(about.key, kept);
    return kept.map;
  }
  if (about.parses === PARSES_MAX) return undefined;
  about.parses++;
  const map = new SourceMap(payloadOf(text));
  keep(about.key, { map, units: text.length });
  return map;
}

function keep(key: string, kept: Kept): void {
  maps.set(key, kept);
  keptUnits += kept.units;
  for (const [oldest, { units }] of maps) {
    if (keptUnits <= MAPS_UNITS_MAX) return;
    maps.delete(oldest);
    keptUnits -= units;
  }
}

function payloadOf(text: string): SourceMapPayload {
  const payload: unknown = JSON.parse(text);
  return payload as SourceMapPayload; // written by esbuild when the artifact was compiled
}
