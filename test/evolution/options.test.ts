/** The evolution floor's door: what is taken, what each default is, and that everything else is refused by name. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EvolutionError } from "../../evolution/errors.ts";
import { parseArbiterOptions, parseProposal } from "../../evolution/options.ts";

type Json = Record<string, unknown>;
type Parse = (input: unknown) => unknown;

const DEFAULTS = {
  profile: "hardened",
  replayTurnsMax: 200,
  replayTurnsMin: 20,
  cpuRatioMax: 1.5,
  probationTurns: 200,
  probationMs: 600_000,
  queueMax: 32,
};

/** Paths of the issues of a refusal; fails when nothing is refused. */
function refusedPaths(parse: Parse, input: unknown): string[] {
  try {
    parse(input);
  } catch (error) {
    assert.ok(error instanceof EvolutionError);
    assert.equal(error.code, "EVOLUTION_OPTIONS_INVALID");
    const issues = error.details["issues"] as { readonly path: string; readonly message: string }[];
    for (const { path, message } of issues) assert.ok(error.message.includes(path) && error.message.includes(message));
    return issues.map(({ path }) => path);
  }
  return assert.fail("it was taken");
}

const noNumbers: readonly unknown[] = ["5", true, null, [], {}, Number.NaN, Number.POSITIVE_INFINITY, 10n];
const noObjects: readonly unknown[] = ["x", 5, true, [], () => ({})];

/** Whole numbers and their bounds; the lower of the two turn counts is tested where the other leaves room. */
const bounds: Readonly<Record<string, readonly [min: number, max: number, besides?: Json]>> = {
  replayTurnsMax: [1, 100_000, { replayTurnsMin: 1 }],
  replayTurnsMin: [1, 100_000, { replayTurnsMax: 100_000 }],
  probationTurns: [1, 1_000_000],
  probationMs: [1, 86_400_000],
  queueMax: [1, 10_000],
};

describe("options of Arbiter.start", () => {
  test("everything has a default, also what is given as undefined", () => {
    assert.deepEqual(parseArbiterOptions({}), DEFAULTS);
    assert.deepEqual(parseArbiterOptions(undefined), DEFAULTS);
    assert.deepEqual(
      parseArbiterOptions(Object.fromEntries(Object.keys(DEFAULTS).map((key) => [key, undefined]))),
      DEFAULTS,
    );
  });

  for (const [key, [min, max, besides]] of Object.entries(bounds)) {
    test(`${key} is taken from ${min} to ${max}`, () => {
      for (const value of [min, min + 1, max]) {
        assert.deepEqual(parseArbiterOptions({ ...besides, [key]: value }), { ...DEFAULTS, ...besides, [key]: value });
      }
    });

    test(`${key} is refused below ${min}, above ${max}, between whole numbers and as anything but a number`, () => {
      for (const value of [min - 1, max + 1, min + 0.5, ...noNumbers]) {
        assert.deepEqual(refusedPaths(parseArbiterOptions, { ...besides, [key]: value }), [key]);
      }
    });
  }

  test("cpuRatioMax is any positive number up to 1000", () => {
    for (const cpuRatioMax of [0.01, 1, 1.25, 1_000]) {
      assert.equal(parseArbiterOptions({ cpuRatioMax }).cpuRatioMax, cpuRatioMax);
    }
    for (const cpuRatioMax of [0, -1, 1_000.5, ...noNumbers]) {
      assert.deepEqual(refusedPaths(parseArbiterOptions, { cpuRatioMax }), ["cpuRatioMax"]);
    }
  });

  test("profile is trusted or hardened", () => {
    for (const profile of ["trusted", "hardened"]) assert.equal(parseArbiterOptions({ profile }).profile, profile);
    for (const profile of ["Trusted", "", null, true]) {
      assert.deepEqual(refusedPaths(parseArbiterOptions, { profile }), ["profile"]);
    }
  });

  test("a minimum of replayed turns above their maximum is refused, because nothing could ever be promoted", () => {
    for (const input of [{ replayTurnsMin: 201 }, { replayTurnsMax: 19 }, { replayTurnsMin: 6, replayTurnsMax: 5 }]) {
      assert.deepEqual(refusedPaths(parseArbiterOptions, input), ["replayTurnsMin"]);
    }
    assert.equal(parseArbiterOptions({ replayTurnsMin: 5, replayTurnsMax: 5 }).replayTurnsMin, 5);
  });

  test("an unknown option is refused by its name", () => {
    assert.throws(() => parseArbiterOptions({ cpuRatio: 2 }), {
      code: "EVOLUTION_OPTIONS_INVALID",
      message: /cpuRatio/,
    });
  });

  test("anything but an object is refused", () => {
    for (const input of noObjects) assert.deepEqual(refusedPaths(parseArbiterOptions, input), [""]);
  });

  test("everything that is wrong is named at once, and where it was given", () => {
    const input = { queueMax: 0, profile: "fast", colour: "red" };
    assert.deepEqual(refusedPaths(parseArbiterOptions, input).toSorted(), ["", "profile", "queueMax"]);
    assert.throws(() => parseArbiterOptions(input), { message: /^Arbiter\.start: / });
  });
});

describe("proposals", () => {
  const proposal = { agent: "a", source: "s" };

  test("an agent and a source are enough; the operator is the author and has no note", () => {
    assert.deepEqual(parseProposal(proposal), { ...proposal, author: "operator", note: "" });
    assert.deepEqual(parseProposal({ ...proposal, author: undefined, note: undefined }), {
      ...proposal,
      author: "operator",
      note: "",
    });
  });

  test("author and note are taken as they are", () => {
    const full = { ...proposal, author: "agent:a", note: "faster" };
    assert.deepEqual(parseProposal(full), full);
  });

  const longest = { source: 4 << 20, author: 200, note: 10_000 };
  for (const [key, max] of Object.entries(longest)) {
    test(`a ${key} of ${max} characters is taken and one of ${max + 1} is refused`, () => {
      assert.equal((parseProposal({ ...proposal, [key]: "x".repeat(max) }) as unknown as Json)[key], "x".repeat(max));
      assert.deepEqual(refusedPaths(parseProposal, { ...proposal, [key]: "x".repeat(max + 1) }), [key]);
    });
  }

  test("agent and source are texts that are not empty", () => {
    for (const key of ["agent", "source"]) {
      for (const value of ["", undefined, null, 5, {}, ["s"]]) {
        assert.deepEqual(refusedPaths(parseProposal, { ...proposal, [key]: value }), [key]);
      }
    }
  });

  test("author and note are texts", () => {
    for (const key of ["author", "note"]) {
      for (const value of [null, 5, {}, ["s"]]) {
        assert.deepEqual(refusedPaths(parseProposal, { ...proposal, [key]: value }), [key]);
      }
    }
  });

  test("an unknown field is refused by its name", () => {
    assert.throws(() => parseProposal({ ...proposal, module: "x" }), {
      code: "EVOLUTION_OPTIONS_INVALID",
      message: /module/,
    });
  });

  test("anything but an object is refused", () => {
    for (const input of [undefined, null, ...noObjects]) assert.deepEqual(refusedPaths(parseProposal, input), [""]);
  });
});
