/**
 * Where an isolate is another place than the bare engine, on purpose. Whatever test262 finds beside these is a bug.
 */

/** Features that the prelude removes, as test262 names them in `features`. */
const REMOVED: ReadonlySet<string> = new Set([
  "Atomics",
  "Atomics.pause",
  "Atomics.waitAsync",
  "FinalizationRegistry",
  "FinalizationGroup",
  "SharedArrayBuffer",
  "Temporal",
  "WeakRef",
  "arraybuffer-transfer",
  "host-gc-required",
  "resizable-arraybuffer",
]);

const REMOVED_FOLDERS =
  /^built-ins\/(?:Atomics|FinalizationRegistry|FinalizationGroup|SharedArrayBuffer|Temporal|WeakRef)\//;

/** Which removed part a test is about; undefined for all others. */
export function removedFeature(name: string, features: readonly string[]): string | undefined {
  if (REMOVED_FOLDERS.test(name)) return name.split("/")[1];
  return features.find((feature) => REMOVED.has(feature));
}

/** Differences that stay, with their reason; the first pattern that matches counts. */
const KNOWN: readonly (readonly [name: RegExp, reason: string])[] = [];

/** The reason of a known difference. */
export function knownDifference(name: string): string | undefined {
  return KNOWN.find(([pattern]) => pattern.test(name))?.[1];
}
