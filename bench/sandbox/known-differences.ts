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

/** What every rail says. */
const RAIL_SAYS = "at once is not available in the sandbox";
const TOO_LONG = "a rail refuses lengths above 4,194,304";
const ASKED_TWICE = "a rail asks what is no array for its length before the built-in does";

/** Differences that do not speak for themselves, with their reason; the first pattern that matches counts. */
const KNOWN: readonly (readonly [name: RegExp, reason: string])[] = [
  [/^built-ins\/Array\/prototype\/\w+\/[\w-]*integer-limit/, TOO_LONG],
  [/^built-ins\/Array\/prototype\/flat(?:Map)?\/proxy-access-count/, ASKED_TWICE],
  [/^built-ins\/Array\/prototype\/flatMap\/array-like-objects/, ASKED_TWICE],
  [/^built-ins\/Array\/prototype\/includes\/(?:get-prop|values-are-not-cached)/, ASKED_TWICE],
  [/^built-ins\/Array\/prototype\/sort\/comparefn-nonfunction-call-throws/, ASKED_TWICE],
  [/^built-ins\/Array\/prototype\/splice\/set_length_no_args/, ASKED_TWICE],
];

/** The reason of a known difference, by the test and what it threw here. */
export function knownDifference(name: string, thrown: string): string | undefined {
  if (thrown.includes(RAIL_SAYS)) return TOO_LONG;
  return KNOWN.find(([pattern]) => pattern.test(name))?.[1];
}
