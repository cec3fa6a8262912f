/**
 * The arguments of a program: a template with typed holes, filled with what an agent says. Each hole becomes one argument (or
 * as many as it was given, where the grant says `many`), whatever is in it: no shell reads it, and it cannot become an option.
 */
import { RuntimeError } from "../errors.ts";

/** A hole in a program's arguments, as a grant says it. */
export interface Hole {
  /** Its name: `args: { <name>: value }`. */
  readonly arg: string;
  /**
   * What may stand in it. "text" (default): any text. "word": letters, digits and . _ -, of which the first is a letter or
   * digit. "integer", "number". "path": a path below where the program starts: no "/" before it and no ".." in it.
   */
  readonly type?: "text" | "word" | "integer" | "number" | "path" | undefined;
  /** Only these values. */
  readonly values?: readonly string[] | undefined;
  /** Stands before the value, in the same argument: "--depth=". */
  readonly prefix?: string | undefined;
  /** The value may begin with "-", where no prefix stands before it. Default false: it would be read as an option. */
  readonly mayDash?: boolean | undefined;
  /** The argument is left out where the agent gives none. Default false. */
  readonly isOptional?: boolean | undefined;
  /** Takes a list of at most so many values, each an argument of its own. */
  readonly many?: number | undefined;
  /** Bytes of one value. Default 4,096. */
  readonly bytesMax?: number | undefined;
}

/** What an agent may put into a hole. */
export type HoleValue = string | number | readonly (string | number)[];

const VALUE_BYTES_MAX = 4_096; // PATH_MAX of Linux: a long path or a short program

/**
 * The arguments. `name` is the program's, for refusals.
 * @throws {RuntimeError} RUNTIME_CAPABILITY_INVALID for a value that fits in no hole, or a hole without a value.
 */
export function filledArgs(
  name: string,
  template: readonly (string | Hole)[],
  given: Readonly<Record<string, HoleValue>>,
): readonly string[] {
  const holes = template.filter((part) => typeof part !== "string");
  for (const key of Object.keys(given)) {
    if (!holes.some(({ arg }) => arg === key))
      throw invalid(name, key, `there is no such hole; there are: ${namesOf(holes)}`);
  }
  return template.flatMap((part) => (typeof part === "string" ? [part] : filled(name, part, given)));
}

function filled(name: string, hole: Hole, given: Readonly<Record<string, HoleValue>>): readonly string[] {
  const value = Object.hasOwn(given, hole.arg) ? given[hole.arg] : undefined;
  if (value === undefined) {
    if (hole.isOptional === true) return [];
    throw invalid(name, hole.arg, "it is needed");
  }
  const values = typeof value === "object" ? value : [value];
  if (typeof value === "object" && values.length > (hole.many ?? -1))
    throw invalid(
      name,
      hole.arg,
      hole.many === undefined ? "one value is needed, not a list" : `at most ${hole.many} values`,
    );
  return values.map((each) => {
    const text = String(each);
    const wrong = wrongIn(text, hole);
    if (wrong !== undefined) throw invalid(name, hole.arg, wrong);
    return `${hole.prefix ?? ""}${text}`;
  });
}

/** What is wrong with a value; undefined for a right one. */
function wrongIn(text: string, hole: Hole): string | undefined {
  const bytesMax = hole.bytesMax ?? VALUE_BYTES_MAX;
  if (Buffer.byteLength(text) > bytesMax) return `it is longer than ${bytesMax} bytes`;
  if (text.includes("\0")) return "it holds a NUL, which ends a text for every program";
  if (hole.values !== undefined && !hole.values.includes(text)) return `it is none of: ${hole.values.join(", ")}`;
  const isOpen = (hole.prefix ?? "") === "" && hole.mayDash !== true;
  if (isOpen && text.startsWith("-")) return 'it begins with "-", and would be read as an option';
  switch (hole.type ?? "text") {
    case "text":
      return undefined;
    case "word":
      return /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(text) ? undefined : "letters, digits and . _ - are allowed";
    case "integer":
      return /^-?\d{1,15}$/.test(text) ? undefined : "a whole number is needed";
    case "number":
      return /^-?\d{1,15}(?:\.\d{1,15})?$/.test(text) ? undefined : "a number is needed";
    case "path":
      return isBelow(text)
        ? undefined
        : 'a path below the folder is needed: it does not begin with "/", and has no ".." in it';
  }
}

function isBelow(path: string): boolean {
  return path !== "" && !path.startsWith("/") && !path.split("/").includes("..");
}

function namesOf(holes: readonly Hole[]): string {
  return holes.length === 0 ? "none" : holes.map(({ arg }) => arg).join(", ");
}

function invalid(name: string, arg: string, why: string): RuntimeError {
  return new RuntimeError("RUNTIME_CAPABILITY_INVALID", `exec: ${name}: args.${arg.slice(0, 64)}: ${why}`);
}
