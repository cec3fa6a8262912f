/** Sights in the compiled script, told by the text that was given. Run where it was compiled; the map is esbuild's. */
import { SourceMap, type SourceMapPayload } from "node:module";
import type { Sight } from "./finding.ts";

/** The text, and the map that leads to it. */
export interface Given {
  readonly name: string;
  readonly source: string;
  /** Source map, version 3, as JSON. */
  readonly map: string;
}

/**
 * Each sight at its place in the text. What the text itself does not hold is told of all of it, 1:1: what the compiler added, and what a map
 * that the text brings along claims to be elsewhere.
 */
export function inSource(sights: readonly Sight[], { name, source, map }: Given): readonly Sight[] {
  if (sights.length === 0) return sights;
  const parsed: unknown = JSON.parse(map);
  const lines = new SourceMap(parsed as SourceMapPayload); // as esbuild writes it
  const lengths = source.split("\n").map((line) => line.length);
  return sights.map((sight) => {
    const entry = lines.findEntry(sight.line - 1, sight.column - 1);
    const isOwn = "originalSource" in entry && entry.originalSource === `text:${name}`;
    if (!isOwn || entry.generatedLine !== sight.line - 1) return { ...sight, line: 1, column: 1 };
    const { originalLine, originalColumn } = entry;
    const isInside = originalColumn <= (lengths[originalLine] ?? -1);
    return isInside
      ? { ...sight, line: originalLine + 1, column: originalColumn + 1 }
      : { ...sight, line: 1, column: 1 };
  });
}
