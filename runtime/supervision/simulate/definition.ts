/**
 * From a case's supervisors and children to what the core takes: its checks, with OTP's names, in OTP's words for what
 * the checks found.
 */
import { checkChildSpecs, checkFlags } from "../child-spec.ts";
import type { AutoShutdown, Definition, Refused, Strategy } from "../contract.ts";
import type { Script } from "./case.ts";
import { isRecord } from "./case.ts";

/** Which of a definition's two parts was refused, and why. */
export interface BadDefinition {
  readonly type: "bad";
  /** `bad_start_spec`: there is no template where one is needed. */
  readonly part: "supervisor_data" | "start_spec" | "bad_start_spec";
  readonly refused: Refused;
}

/** The definition, checked: OTP's defaults, periods in whole seconds. */
export function definitionOf(script: Script): { readonly type: "good"; readonly value: Definition } | BadDefinition {
  const { strategy, intensity, period, auto_shutdown, max_children } = script;
  const input = { strategy, intensity, period, autoShutdown: auto_shutdown, maxChildren: max_children };
  const flags = checkFlags(withoutUndefined(input), { unitMs: 1_000, periodDefault: 5 });
  if (flags.type === "refused") return { type: "bad", part: "supervisor_data", refused: flags };
  if (flags.value.strategy === "simple_one_for_one" && script.template === undefined)
    return { type: "bad", part: "bad_start_spec", refused: { type: "refused", error: "invalid_child_spec" } };
  const children = checkScripts(listOf(script, flags.value.strategy), flags.value);
  if (children.type === "refused") return { type: "bad", part: "start_spec", refused: children };
  return { type: "good", value: { flags: flags.value, children: children.value } };
}

/** Checks scripts as children of a supervisor with these rules. */
export function checkScripts(
  scripts: unknown,
  rules: { readonly strategy: Strategy; readonly autoShutdown: AutoShutdown | undefined },
): ReturnType<typeof checkChildSpecs> {
  return checkChildSpecs(Array.isArray(scripts) ? scripts.map(inputOf) : scripts, rules);
}

/** A script as the input of a check; the script itself is what the shell needs to start it. */
export function inputOf(script: unknown): unknown {
  if (!isRecord(script)) return script;
  const { id, restart, shutdown, type, significant, start } = script;
  return withoutUndefined({ id, restart, shutdown, type, significant, start: start === null ? undefined : script });
}

/** Why a supervisor of that definition does not start. */
export function startErrorText({ part, refused }: BadDefinition): string {
  return part === "bad_start_spec" ? `error:${part}` : errorText(refused).replace("error:", `error:${part}:`);
}

/** OTP's name of an error, with the id where two children share one. */
export function errorText({ error, value }: Refused): string {
  if (error === "noproc") return "noproc";
  return error === "duplicate_child_name" ? `error:${error}:${String(value)}` : `error:${error}`;
}

function listOf({ children, template }: Script, strategy: Strategy): unknown {
  if (strategy === "simple_one_for_one") return [template];
  return strategy === "dynamic" ? [] : (children ?? []);
}

/** What a case leaves out has its default. */
function withoutUndefined<T extends object>(input: T): { [Key in keyof T]?: T[Key] } {
  // The entries are those of `input`, less some.
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]?: T[Key];
  };
}
