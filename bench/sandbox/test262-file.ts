/**
 * A file of test262: what its frontmatter says, and the scripts that a run of it is made of. Pure.
 *
 * The format is test262's own (tc39/test262 INTERPRETING.md): a comment in YAML with `flags`, `includes`, `features` and
 * `negative`. Only the forms that test262 uses are read: lists in brackets, lists of lines, two levels of keys.
 */

/** How a test that must fail fails. */
export interface Negative {
  readonly phase: string;
  readonly type: string;
}

/** What the frontmatter says. */
export interface Frontmatter {
  readonly flags: readonly string[];
  readonly includes: readonly string[];
  readonly features: readonly string[];
  readonly negative: Negative | undefined;
}

/** One run of a test: the same file may be run as it is, and once more in strict mode. */
export interface TestRun {
  /** Path below the folder `test`, with "(strict)" for the second run. */
  readonly name: string;
  readonly source: string;
  readonly includes: readonly string[];
  readonly isAsync: boolean;
  readonly negative: Negative | undefined;
}

const HARNESS = ["assert.js", "sta.js"];
const ASYNC_HARNESS = "doneprintHandle.js";

/** Reads the frontmatter; a file without one says nothing. */
export function frontmatterOf(text: string): Frontmatter {
  const yaml = /\/\*---\r?\n?([\s\S]*?)---\*\//.exec(text)?.[1] ?? "";
  const phase = /^negative:\s*\n(?:[ \t]+.*\n)*?[ \t]+phase:[ \t]*(\w+)/m.exec(yaml)?.[1];
  const type = /^negative:\s*\n(?:[ \t]+.*\n)*?[ \t]+type:[ \t]*(\w+)/m.exec(yaml)?.[1];
  return {
    flags: listOf(yaml, "flags"),
    includes: listOf(yaml, "includes"),
    features: listOf(yaml, "features"),
    negative: phase === undefined || type === undefined ? undefined : { phase, type },
  };
}

function listOf(yaml: string, key: string): readonly string[] {
  const inline = new RegExp(String.raw`^${key}:[ \t]*\[([^\]]*)\]`, "m").exec(yaml)?.[1];
  if (inline !== undefined) return words(inline.split(","));
  const lines = new RegExp(String.raw`^${key}:[ \t]*\r?\n((?:[ \t]*-[ \t]*\S.*\r?\n?)+)`, "m").exec(yaml)?.[1];
  return words((lines ?? "").split(/\r?\n/).map((line) => line.replace(/^\s*-\s*/, "")));
}

function words(texts: readonly string[]): readonly string[] {
  return texts.map((text) => text.trim()).filter((text) => text !== "");
}

/** The runs of one file, in sloppy and in strict mode as its flags say; none for a module. */
export function runsOf(name: string, text: string): readonly TestRun[] {
  const { flags, includes, negative } = frontmatterOf(text);
  if (flags.includes("module")) return [];
  const isAsync = flags.includes("async");
  const isRaw = flags.includes("raw");
  const harness = isRaw ? [] : [...HARNESS, ...(isAsync ? [ASYNC_HARNESS] : []), ...includes];
  const run = { includes: harness, isAsync, negative };
  const sloppy = { ...run, name, source: text };
  const strict = { ...run, name: `${name} (strict)`, source: `"use strict";\n${text}` };
  if (isRaw || flags.includes("noStrict")) return [sloppy];
  return flags.includes("onlyStrict") ? [strict] : [sloppy, strict];
}
