/** Guest stacks in the words of the agent's author: positions in the TypeScript that was written, not in what was run. */

import { SourceMap, type SourceMapPayload } from "node:module";
import { ARTIFACT_FILE, PRELUDE_FILE } from "./protocol.ts";

/** Parsed maps kept; an agent that fails in every turn should not have its map parsed in every turn. */
const MAPS_MAX = 16;
/** Compiler's own modules and the frames that are not the agent's: the prelude, and isolated-vm's seam. */
const FOREIGN = [PRELUDE_FILE, "<isolated-vm boundary>", "planaria:", `${ARTIFACT_FILE}:1:`]; // nothing of the agent's is on line 1

const maps = new Map<string, SourceMap>();

/**
 * Maps `agent.js:2:9` to `counter.agent.ts:4:9` and drops frames that are not the agent's: ours, and those of the language
 * that led to ours. A stack of anything else, or a position that the map does not know, is left as it is. Never throws on
 * a guest's text.
 */
export function mapStack(stack: string, artifact: { readonly name: string; readonly map: string }): string {
  const map = mapOf(artifact.map);
  return withoutOurs(stack.split("\n").map((line) => mapLine(line, map, artifact.name))).join("\n");
}

/**
 * Where a log line was written: `2:9` of the artifact's script becomes `counter.agent.ts:4:9`. A position that the map does
 * not know is one in `agent.js`; "" stays "".
 */
export function mapPosition(at: string, artifact: { readonly name: string; readonly map: string }): string {
  if (at === "") return "";
  return mapText(`${ARTIFACT_FILE}:${at}`, mapOf(artifact.map), artifact.name);
}

/** A text of the agent's that may hold stacks: an error that it logged. Cheap where it holds none. */
export function mapLog(text: string, artifact: { readonly name: string; readonly map: string }): string {
  return text.includes(ARTIFACT_FILE) || text.includes(PRELUDE_FILE) ? mapStack(text, artifact) : text;
}

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

function mapOf(text: string): SourceMap | undefined {
  const known = maps.get(text);
  if (known !== undefined) {
    // The one that was used last is forgotten last.
    maps.delete(text);
    maps.set(text, known);
    return known;
  }
  const payload = payloadOf(text);
  if (payload === undefined) return undefined;
  const oldest = maps.size < MAPS_MAX ? undefined : maps.keys().next().value;
  if (oldest !== undefined) maps.delete(oldest);
  const map = new SourceMap(payload);
  maps.set(text, map);
  return map;
}

/** An artifact without a map (an empty text) keeps its positions. */
function payloadOf(text: string): SourceMapPayload | undefined {
  if (text === "") return undefined;
  const payload: unknown = JSON.parse(text);
  return payload as SourceMapPayload; // written by esbuild when the artifact was compiled
}
