/** The evolution floor's door: what is taken, what each default is, and that everything else is refused by name. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EvolutionError } from "../../evolution/errors.ts";
import { parseArbiterOptions, parseProposal, SOURCE_CHARACTERS_MAX } from "../../evolution/options.ts";

type Json = Record<string, unknown>;
type Parse = (input: unknown) => unknown;

const DEFAULTS = {
  profile: "hardened",
  rigor: "standard",
  alpha: 0.05,
  harmAlpha: 0.01,
  marginPoints: 0.01,
  spending: "normal",
  cpuRatioMax: 1.1,
  replayTurnsMax: 500,
  replayTurnsMin: 20,
  replayCpuRatioMax: 1.5,
  generatedCases: 200,
  mirrorTurnsMin: 300,
  mirrorTurnsMax: 10_000,
  mirrorMs: 1_800_000,
  quietMs: 10_000,
  splitSteps: [0.05, 0.2, 0.5],
  splitTurnsMin: 200,
  share: "steps",
  probationTurns: 2_000,
  probationMs: 3_600_000,
  answers: "equal",
  fitness: undefined,
  isFailure: undefined,
  clean: undefined,
  session: undefined,
  effects: "refuse",
  simulate: undefined,
  promotionsMax: 6,
  promotionsPeriodMs: 3_600_000,
  quarantineMs: 60_000,
  tombstonesMax: 10_000,
  queueMax: 32,
  seed: 1,
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

const DAY_MS = 86_400_000;

/** Whole numbers and their bounds; the lower of two turn counts is tested where the other leaves room. */
const bounds: Readonly<Record<string, readonly [min: number, max: number, besides?: Json]>> = {
  replayTurnsMax: [1, 100_000, { replayTurnsMin: 1 }],
  replayTurnsMin: [1, 100_000, { replayTurnsMax: 100_000 }],
  generatedCases: [0, 100_000],
  mirrorTurnsMin: [1, 1_000_000, { mirrorTurnsMax: 1_000_000 }],
  mirrorTurnsMax: [1, 1_000_000, { mirrorTurnsMin: 1 }],
  mirrorMs: [1, DAY_MS],
  quietMs: [1, DAY_MS],
  splitTurnsMin: [1, 1_000_000],
  probationTurns: [1, 1_000_000],
  probationMs: [1, DAY_MS],
  promotionsMax: [1, 1_000_000],
  promotionsPeriodMs: [1, 30 * DAY_MS],
  quarantineMs: [1, 3_600_000],
  tombstonesMax: [1, 1_000_000],
  queueMax: [1, 10_000],
  seed: [0, 0xffff_ffff],
};

/** What a rigor stands for. */
const RIGORS = {
  quick: {
    marginPoints: 0.05,
    mirrorTurnsMin: 50,
    mirrorTurnsMax: 2_000,
    splitSteps: [0.2, 0.5],
    splitTurnsMin: 40,
    probationTurns: 200,
    probationMs: 600_000,
    spending: "normal",
  },
  standard: {},
  strict: { splitSteps: [0.01, 0.05, 0.2, 0.5], probationTurns: 10_000, spending: "strict" },
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

  for (const key of ["cpuRatioMax", "replayCpuRatioMax"]) {
    test(`${key} is any positive number up to 1000`, () => {
      for (const value of [0.01, 1, 1.25, 1_000]) {
        assert.deepEqual(parseArbiterOptions({ [key]: value }), { ...DEFAULTS, [key]: value });
      }
      for (const value of [0, -1, 1_000.5, ...noNumbers]) {
        assert.deepEqual(refusedPaths(parseArbiterOptions, { [key]: value }), [key]);
      }
    });
  }

  for (const key of ["alpha", "harmAlpha", "marginPoints"]) {
    test(`${key} is a share above 0, up to a half`, () => {
      for (const value of [1e-9, 0.25, 0.5]) {
        assert.deepEqual(parseArbiterOptions({ [key]: value }), { ...DEFAULTS, [key]: value });
      }
      for (const value of [0, -0.1, 0.51, ...noNumbers]) {
        assert.deepEqual(refusedPaths(parseArbiterOptions, { [key]: value }), [key]);
      }
    });
  }

  for (const [rigor, numbers] of Object.entries(RIGORS)) {
    test(`${rigor} is a set of numbers, and each of them can be given by itself`, () => {
      const all = { ...DEFAULTS, rigor, ...numbers };
      assert.deepEqual(parseArbiterOptions({ rigor }), all);
      assert.deepEqual(parseArbiterOptions({ rigor, marginPoints: 0.25 }), { ...all, marginPoints: 0.25 });
      assert.deepEqual(parseArbiterOptions({ rigor, marginPoints: undefined }), all);
    });
  }

  test("steps of a split rise, and stop at a half", () => {
    for (const splitSteps of [[0.5], [0.1, 0.2, 0.3]]) {
      assert.deepEqual(parseArbiterOptions({ splitSteps }).splitSteps, splitSteps);
    }
    for (const splitSteps of [[0.2, 0.2], [0.2, 0.1], [], "0.5", 0.5]) {
      assert.deepEqual(refusedPaths(parseArbiterOptions, { splitSteps }), ["splitSteps"]);
    }
    assert.deepEqual(refusedPaths(parseArbiterOptions, { splitSteps: [0.2, 0.6] }), ["splitSteps.1"]);
    assert.deepEqual(refusedPaths(parseArbiterOptions, { splitSteps: [0] }), ["splitSteps.0"]);
  });

  for (const key of ["fitness", "isFailure", "clean", "session"]) {
    test(`${key} is a function`, () => {
      const given = (): never => assert.fail("it is not called here");
      assert.equal((parseArbiterOptions({ [key]: given }) as unknown as Json)[key], given);
      for (const value of ["x", 5, {}, null]) {
        assert.deepEqual(refusedPaths(parseArbiterOptions, { [key]: value }), [key]);
      }
    });
  }

  test("answers are judged exactly where there is a function that judges them", () => {
    const fitness = (): number => 1;
    assert.equal(parseArbiterOptions({ fitness }).answers, "judged");
    assert.equal(parseArbiterOptions({ fitness, answers: "equal" }).answers, "equal");
    assert.deepEqual(refusedPaths(parseArbiterOptions, { answers: "judged" }), ["fitness"]);
    assert.deepEqual(refusedPaths(parseArbiterOptions, { answers: "other" }), ["answers"]);
  });

  test("effects are simulated exactly where there is a function that does it", () => {
    const simulate = (): undefined => undefined;
    assert.equal(parseArbiterOptions({ effects: "simulate", simulate }).simulate, simulate);
    for (const input of [{ effects: "simulate" }, { simulate }]) {
      assert.deepEqual(refusedPaths(parseArbiterOptions, input), ["simulate"]);
    }
  });

  test("profile is trusted or hardened", () => {
    for (const profile of ["trusted", "hardened"]) assert.equal(parseArbiterOptions({ profile }).profile, profile);
    for (const profile of ["Trusted", "", null, true]) {
      assert.deepEqual(refusedPaths(parseArbiterOptions, { profile }), ["profile"]);
    }
  });

  test("a minimum of replayed turns above their maximum is refused, because nothing could ever be promoted", () => {
    for (const input of [{ replayTurnsMin: 501 }, { replayTurnsMax: 19 }, { replayTurnsMin: 6, replayTurnsMax: 5 }]) {
      assert.deepEqual(refusedPaths(parseArbiterOptions, input), ["replayTurnsMin"]);
    }
    assert.equal(parseArbiterOptions({ replayTurnsMin: 5, replayTurnsMax: 5 }).replayTurnsMin, 5);
    assert.deepEqual(refusedPaths(parseArbiterOptions, { mirrorTurnsMax: 299 }), ["mirrorTurnsMin"]);
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
  const defaults = { author: "operator", note: "", candidatesTried: 1 };

  test("an agent and a source are enough; the operator is the author and has no note", () => {
    assert.deepEqual(parseProposal(proposal), { ...proposal, ...defaults });
    assert.deepEqual(parseProposal({ ...proposal, author: undefined, note: undefined }), { ...proposal, ...defaults });
  });

  test("author and note are taken as they are", () => {
    const full = { ...proposal, author: "agent:a", note: "faster", candidatesTried: 7 };
    assert.deepEqual(parseProposal(full), full);
  });

  const longest = { source: SOURCE_CHARACTERS_MAX, author: 200, note: 10_000 };
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

  test("a text of ten megabytes is refused in one short sentence that names the limit", () => {
    assert.throws(() => parseProposal({ ...proposal, source: "x".repeat(10 << 20) }), {
      code: "EVOLUTION_OPTIONS_INVALID",
      message: `propose: source: a candidate's text has at most ${SOURCE_CHARACTERS_MAX} characters`,
    });
  });

  test("candidatesTried is a whole number from 1 on", () => {
    for (const candidatesTried of [0, -1, 1.5, 1_000_001, ...noNumbers]) {
      assert.deepEqual(refusedPaths(parseProposal, { ...proposal, candidatesTried }), ["candidatesTried"]);
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
