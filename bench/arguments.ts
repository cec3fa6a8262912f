/**
 * What the bench was asked to do. Pure: the words after the command in, a request out. A word it does not know is
 * refused: a misspelt suite must not become an empty run that succeeds.
 */
import { parseArgs } from "node:util";

/** What to do. */
export type BenchRequest =
  | {
      readonly kind: "run";
      readonly suites: readonly string[];
      readonly isJson: boolean;
      readonly isQuick: boolean;
      readonly isStrict: boolean;
      /** A folder with a copy of test262. */
      readonly test262: string | undefined;
    }
  | { readonly kind: "help" }
  | { readonly kind: "refused"; readonly message: string };

const options = {
  json: { type: "boolean", default: false },
  quick: { type: "boolean", default: false },
  strict: { type: "boolean", default: false },
  test262: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** Reads `argv` (without the names of Node and of the script); `known` are the suites there are, in their order. */
export function parseBenchArguments(argv: readonly string[], known: readonly string[]): BenchRequest {
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    if (values.help) return { kind: "help" };
    const unknown = positionals.filter((name) => !known.includes(name));
    if (unknown.length > 0) return refused(`there is no suite called ${unknown.join(", ")}`, known);
    const suites = positionals.length === 0 ? known : known.filter((name) => positionals.includes(name));
    return {
      kind: "run",
      suites,
      isJson: values.json,
      isQuick: values.quick,
      isStrict: values.strict,
      test262: values.test262,
    };
  } catch (error) {
    if (!isUsageError(error)) throw error;
    return refused(error.message.split("\n")[0] ?? "", known);
  }
}

function refused(what: string, known: readonly string[]): BenchRequest {
  return { kind: "refused", message: `${what}\nSuites: ${known.join(", ")}. --help says more.` };
}

function isUsageError(error: unknown): error is Error {
  return error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS_");
}
