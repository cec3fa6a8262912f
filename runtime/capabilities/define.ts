/** A capability from its definition, checked at the door: the program that defines it finds its mistakes as it starts. */
import { RuntimeError } from "../errors.ts";
import type { Capability, CapabilityDefinition, CapabilityVerb } from "./contract.ts";

const NAME: RegExp = /^[A-Za-z][A-Za-z0-9_]{0,62}$/;
/** Names that mean something else on every object, or to `await`. */
const RESERVED: ReadonlySet<string> = new Set(["then", "constructor", "toString", "valueOf", "toJSON"]);
const KEYS: readonly string[] = ["name", "grant", "verbs"];
const VERB_KEYS: readonly string[] = ["args", "timeoutMs", "run"];

/**
 * A capability from its definition.
 * @throws {RuntimeError} RUNTIME_OPTIONS_INVALID for a name, a verb or a schema that is none, and for a key that means nothing.
 */
export function defineCapability<Grant, Verbs extends Readonly<Record<string, readonly unknown[]>>>(
  definition: CapabilityDefinition<Grant, Verbs>,
): Capability {
  const { name, grant, verbs } = definition;
  checkKeys(definition, "", KEYS);
  check(isName(name), "name", `${name}: a letter, then letters, digits and _, at most 63`);
  check(isSchema(grant), "grant", `${name} needs a schema of its grant, such as z.strictObject({ … })`);
  const entries = Object.entries(verbs ?? {});
  check(entries.length > 0, "verbs", `${name} has no verb`);
  for (const [verb, given] of entries) {
    check(isName(verb), `verbs.${verb}`, "a letter, then letters, digits and _, at most 63");
    check(isPresent(given), `verbs.${verb}`, "a verb is needed: { args, run }");
    checkKeys(given, `verbs.${verb}.`, VERB_KEYS);
    const { args, run, timeoutMs } = given;
    check(isSchema(args), `verbs.${verb}.args`, "a schema of a tuple is needed, such as z.tuple([z.string()])");
    check(typeof run === "function", `verbs.${verb}.run`, "a function is needed");
    const isTime = timeoutMs === undefined || (Number.isFinite(timeoutMs) && timeoutMs > 0);
    check(isTime, `verbs.${verb}.timeoutMs`, "milliseconds, more than 0");
  }
  // Each verb is only ever given what its own `args` and the capability's own `grant` passed.
  return { name, grant, verbs: new Map(entries as [string, CapabilityVerb<unknown, readonly unknown[]>][]) };
}

function isName(name: unknown): boolean {
  return typeof name === "string" && NAME.test(name) && !RESERVED.has(name);
}

/** Whether it is there at all: a program without types may leave it out. */
function isPresent(given: unknown): boolean {
  return given !== undefined && given !== null;
}

/** A misspelt limit must not become no limit. */
function checkKeys(given: object, path: string, known: readonly string[]): void {
  for (const key of Object.keys(given)) {
    check(known.includes(key), `${path}${key}`, `there is no such setting; there are ${known.join(", ")}`);
  }
}

function isSchema(schema: unknown): boolean {
  return typeof (schema as { readonly safeParse?: unknown } | undefined | null)?.safeParse === "function"; // a property that may not be there
}

function check(isRight: boolean, path: string, message: string): void {
  if (isRight) return;
  throw new RuntimeError("RUNTIME_OPTIONS_INVALID", `defineCapability: ${path}: ${message}`, {
    details: { issues: [{ path, message }] },
  });
}
