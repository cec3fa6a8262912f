/** The runtime's door: what is taken, what each default is, and that everything else is refused by name. */
import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { describe, test } from "node:test";
import { machineMb } from "../../runtime/limit-checks.ts";
import { RuntimeError } from "../../runtime/errors.ts";
import { Capabilities } from "../../runtime/capabilities/registry.ts";
import { AGENT_LIMITS } from "../../runtime/limit-options.ts";
import { parseAgentId } from "../../runtime/name-options.ts";
import { parseRuntimeOptions, parseSpawnOptions } from "../../runtime/options.ts";

type Json = Record<string, unknown>;

const runtime = { durability: "os", limits: AGENT_LIMITS } as const;
const open = (options: Json = {}): unknown => parseRuntimeOptions({ vault: "./data", ...options });
const spawn = (options: Json = {}): unknown => parseSpawnOptions({ id: "a", source: "s", ...options }, runtime);
const fieldOf = (parsed: unknown, key: string): unknown => (parsed as Json)[key];

/** The issues of a refusal; fails when `parse` refuses nothing. */
function issuesOf(parse: () => unknown): readonly { readonly path: string; readonly message: string }[] {
  try {
    parse();
  } catch (error) {
    assert.ok(error instanceof RuntimeError);
    assert.equal(error.code, "RUNTIME_OPTIONS_INVALID");
    const issues = error.details["issues"] as { readonly path: string; readonly message: string }[];
    for (const { path, message } of issues) assert.ok(error.message.includes(path) && error.message.includes(message));
    return issues;
  }
  return assert.fail("it was taken");
}

function assertRefused(parse: () => unknown, path: string): void {
  assert.deepEqual(
    issuesOf(parse).map((issue) => issue.path),
    [path],
  );
}

/** Whole numbers and their bounds. */
const limitBounds: Readonly<Record<keyof typeof AGENT_LIMITS, readonly [min: number, max: number]>> = {
  heapMb: [8, 4_096],
  cpuMs: [1, 600_000],
  wallMs: [1, 600_000],
  loadMs: [1, 600_000],
  messageBytesMax: [1, 64 << 20],
  replyBytesMax: [1, 64 << 20],
  stateBytesMax: [1, 1 << 30],
  asksPerTurnMax: [1, 65_536],
  stepsPerTurnMax: [1, 4_096],
  stepBytesPerTurnMax: [1, 64 << 20],
  outboxPerTurnMax: [1, 65_536],
  logBytesPerTurnMax: [1, 16 << 20],
  tableReadsPerTurnMax: [1, 65_536],
  tableBytesPerTurnMax: [1, 32 << 20],
  rowBytesMax: [1, 16 << 20],
  mailboxMax: [1, 10_000_000],
  subagentsMax: [0, 100_000],
  subagentDepthMax: [0, 100],
  subtreeMax: [0, 1_000_000],
  timersMax: [0, 1_000_000],
  subscriptionsMax: [0, 100_000],
};
const openBounds = {
  cells: [1, 256],
  agentsPerCell: [1, 1_000],
  cellMemoryMb: [64, machineMb()],
  seed: [0, 0xffff_ffff],
} as const;
const spawnBounds = {
  intensity: [0, 1_000_000],
  periodMs: [1, 86_400_000],
  quarantineDeaths: [1, 1_000_000],
  quarantineMs: [1, 31_536_000_000],
  shutdownMs: [1, 86_400_000],
} as const;

/** Words and what else looks like one. */
const openWords = {
  durability: ["disk", "os", "memory"],
  osSandbox: ["auto", "required", "off"],
  logLevel: ["trace", "debug", "info", "warn", "error", "silent"],
};
const spawnWords = {
  durability: ["disk", "os", "memory"],
  restart: ["permanent", "transient", "temporary"],
  profile: ["trusted", "hardened"],
  shutdownMs: ["brutal_kill", "infinity"],
};

const noNumbers: readonly unknown[] = ["5", true, null, [], {}, Number.NaN, Number.POSITIVE_INFINITY, 10n];

function describeNumbers(
  bounds: Readonly<Record<string, readonly [number, number]>>,
  parse: (options: Json) => unknown,
  within?: string,
): void {
  for (const [key, [min, max]] of Object.entries(bounds)) {
    const path = within === undefined ? key : `${within}.${key}`;
    const given = (value: unknown): Json => (within === undefined ? { [key]: value } : { [within]: { [key]: value } });
    const taken = (parsed: unknown): unknown => fieldOf(within === undefined ? parsed : fieldOf(parsed, within), key);

    test(`${path} is taken from ${min} to ${max}`, () => {
      for (const value of [min, min + 1, max]) assert.equal(taken(parse(given(value))), value);
    });

    test(`${path} is refused below ${min}, above ${max}, between whole numbers and as anything but a number`, () => {
      for (const value of [min - 1, max + 1, min + 0.5, ...noNumbers]) assertRefused(() => parse(given(value)), path);
    });
  }
}

function describeWords(words: Readonly<Record<string, readonly string[]>>, parse: (options: Json) => unknown): void {
  for (const [key, taken] of Object.entries(words)) {
    test(`${key} is one of ${taken.join(", ")}`, () => {
      for (const word of taken) assert.equal(fieldOf(parse({ [key]: word }), key), word);
      for (const word of [taken[0]?.toUpperCase(), `${taken[0]} `, "", true, null, []]) {
        assertRefused(() => parse({ [key]: word }), key);
      }
    });
  }
}

const noObjects: readonly unknown[] = [undefined, null, "x", 5, true, [], () => ({})];

describe("options of Runtime.open", () => {
  test("the vault's path alone is enough; everything else has a default", () => {
    assert.deepEqual(parseRuntimeOptions({ vault: "./data" }), {
      vault: "./data",
      durability: "disk",
      cells: Math.max(2, availableParallelism()),
      agentsPerCell: 25,
      spares: 1,
      cellMemoryMb: 1_024,
      osSandbox: "auto",
      sandbox: {},
      recycle: { ageMs: 3_600_000, memoryMb: 768, placements: 10_000 },
      logLevel: "silent",
      retention: [],
      deadLetters: { countMax: 1_000, bytesMax: 64 << 20 },
      topics: { retain: 1_000, countMax: 100_000 },
      capabilities: new Capabilities([]),
      audit: { countMax: 10_000, bytesMax: 64 << 20 },
      seed: undefined,
      limits: AGENT_LIMITS,
    });
  });

  test("an option that is given as undefined has its default", () => {
    const keys = ["durability", "cells", "agentsPerCell", "cellMemoryMb", "osSandbox", "logLevel", "seed", "limits"];
    keys.push("retention");
    assert.deepEqual(open(Object.fromEntries(keys.map((key) => [key, undefined]))), open());
  });

  test("the bounds of the dead letters are whole numbers from 1 on, each with its default", () => {
    assert.deepEqual(fieldOf(open({ deadLetters: { countMax: 5 } }), "deadLetters"), {
      countMax: 5,
      bytesMax: 64 << 20,
    });
    for (const [key, most] of [
      ["countMax", 1_000_000],
      ["bytesMax", 1 << 30],
    ] as const) {
      for (const wrong of [0, 1.5, "5", most + 1]) {
        assertRefused(() => open({ deadLetters: { [key]: wrong } }), `deadLetters.${key}`);
      }
    }
    assertRefused(() => open({ deadLetters: { count: 5 } }), "deadLetters");
  });

  test("a retention rule has a label and a count, an age or both", () => {
    const rules = [
      { label: "hourly-#", count: 48 },
      { label: "scratch-*", ageMs: 1_000 },
      { label: "x", count: 0, ageMs: 0.5 },
    ];
    assert.deepEqual(fieldOf(open({ retention: rules }), "retention"), rules);
    const wrong: readonly [Json, string][] = [
      [{ label: "x" }, "retention.0"],
      [{ label: "", count: 1 }, "retention.0.label"],
      [{ label: "a*b", count: 1 }, "retention.0.label"],
      [{ label: "x", count: 1.5 }, "retention.0.count"],
      [{ label: "x", ageMs: -1 }, "retention.0.ageMs"],
      [{ label: "x", count: 1, days: 3 }, "retention.0"],
    ];
    for (const [rule, path] of wrong) assertRefused(() => open({ retention: [rule] }), path);
  });

  test("the vault's path is a text that is not empty", () => {
    for (const vault of ["", 5, null, undefined, new URL("file:///data")])
      assertRefused(() => open({ vault }), "vault");
  });

  describeNumbers(openBounds, open);
  describeNumbers(limitBounds, open, "limits");
  describeWords(openWords, open);

  test("an unknown option is refused by its name", () => {
    assert.match(issuesOf(() => open({ celsl: 4 }))[0]?.message ?? "", /celsl/);
  });

  test("an unknown limit is refused by its name, because a misspelt limit would be no limit", () => {
    const [issue] = issuesOf(() => open({ limits: { heapMB: 64 } }));
    assert.equal(issue?.path, "limits");
    assert.match(issue.message, /heapMB/);
  });

  test("limits that are given leave the others at their defaults", () => {
    const given = { heapMb: 64, cpuMs: undefined };
    assert.deepEqual(fieldOf(open({ limits: given }), "limits"), { ...AGENT_LIMITS, heapMb: 64 });
  });

  test("anything but an object is refused", () => {
    for (const input of noObjects) assert.equal(issuesOf(() => parseRuntimeOptions(input)).length, 1);
    for (const limits of [null, "x", 5, []]) assertRefused(() => open({ limits }), "limits");
  });

  test("everything that is wrong is named at once, and where it was given", () => {
    const options = { cells: 0, durability: "ram", limits: { heapMb: 1, cpuMs: "fast" }, colour: "red" };
    const paths = issuesOf(() => open(options)).map(({ path }) => path);
    assert.deepEqual(paths.toSorted(), ["", "cells", "durability", "limits.cpuMs", "limits.heapMb"]);
    assert.throws(() => open(options), { message: /^Runtime\.open: / });
  });
});

describe("options of spawn", () => {
  test("an id and a source are enough; everything else has a default or the runtime's", () => {
    assert.deepEqual(spawn(), {
      id: "a",
      module: undefined,
      source: "s",
      restart: "permanent",
      intensity: 3,
      periodMs: 5_000,
      quarantineDeaths: 3,
      quarantineMs: 600_000,
      shutdownMs: 5_000,
      durability: "os",
      profile: "trusted",
      limits: AGENT_LIMITS,
      text: "",
    });
  });

  test("a text is taken up to 256 KiB of UTF-8 and refused beyond, or when half a character is in it", () => {
    const longest = { text: "ä".repeat(131_072) };
    assert.partialDeepStrictEqual(spawn(longest), longest);
    for (const text of ["ä".repeat(131_073), "\ud800", 7]) {
      assert.throws(() => spawn({ text }), { code: "RUNTIME_OPTIONS_INVALID", message: /text/ });
    }
  });

  test("an option that is given as undefined has its default", () => {
    const keys = [
      "module",
      "restart",
      "intensity",
      "periodMs",
      "shutdownMs",
      "durability",
      "profile",
      "limits",
      "text",
    ];
    assert.deepEqual(spawn(Object.fromEntries(keys.map((key) => [key, undefined]))), spawn());
  });

  describeNumbers(spawnBounds, spawn);
  describeNumbers(limitBounds, spawn, "limits");
  describeWords(spawnWords, spawn);

  test("an agent's limits are laid over the runtime's, and those over the defaults", () => {
    const { limits } = parseRuntimeOptions({ vault: "v", limits: { heapMb: 64, mailboxMax: 9 } });
    const agent = parseSpawnOptions(
      { id: "a", source: "s", limits: { mailboxMax: 7, cpuMs: undefined } },
      { ...runtime, limits },
    );
    assert.deepEqual(agent.limits, { ...AGENT_LIMITS, heapMb: 64, mailboxMax: 7 });
    assert.deepEqual([limits.mailboxMax, AGENT_LIMITS.mailboxMax], [9, 1_000]);
  });

  test("a module is a URL or a path", () => {
    for (const module of [new URL("file:///a.agent.ts"), "./a.agent.ts"]) {
      assert.equal(fieldOf(spawn({ module, source: undefined }), "module"), module);
    }
    for (const module of ["", 5, null, {}, { href: "file:///a.ts" }]) {
      assertRefused(() => spawn({ module, source: undefined }), "module");
    }
  });

  test("a source is a text", () => {
    for (const source of [5, null, {}, Buffer.from("s")]) assertRefused(() => spawn({ source }), "source");
  });

  test("both module and source are refused, and neither of them as well", () => {
    for (const options of [{ module: "./a.ts" }, { source: undefined }, { module: undefined, source: undefined }]) {
      assert.deepEqual(
        issuesOf(() => spawn(options)),
        [{ path: "", message: "give exactly one of module and source" }],
      );
    }
  });

  test("an unknown option is refused by its name, and so is an unknown limit", () => {
    assert.match(issuesOf(() => spawn({ restrat: "permanent" }))[0]?.message ?? "", /restrat/);
    const [issue] = issuesOf(() => spawn({ limits: { cpuMS: 5 } }));
    assert.equal(issue?.path, "limits");
    assert.match(issue.message, /cpuMS/);
  });

  test("anything but an object is refused", () => {
    for (const input of noObjects) assert.equal(issuesOf(() => parseSpawnOptions(input, runtime)).length, 1);
  });

  test("everything that is wrong is named at once", () => {
    const options = { id: "~", restart: "always", intensity: -1, limits: { heapMb: 1 } };
    const paths = issuesOf(() => spawn(options)).map(({ path }) => path);
    assert.deepEqual(paths.toSorted(), ["id", "intensity", "limits.heapMb", "restart"]);
  });
});

describe("agent ids", () => {
  const good = ["a", "7", "A1._:-z", "user:42.session-9_b", "x".repeat(128), "constructor"];
  const bad = [
    "",
    "~a",
    "a~b",
    "-a",
    ".a",
    ":a",
    "_a",
    "a b",
    "a/b",
    "a\\b",
    "a\n",
    "\na",
    "é",
    "😀",
    "a\0",
    "x".repeat(129),
  ];

  test("letters, digits and . _ : - are taken, a letter or digit first, at most 128", () => {
    for (const id of good) {
      assert.equal(parseAgentId(id), id);
      assert.equal(fieldOf(spawn({ id }), "id"), id);
    }
  });

  for (const id of bad) {
    const shown = id.length > 20 ? `${id.length} characters` : JSON.stringify(id);
    test(`an agent id of ${shown} is refused`, () => {
      assertRefused(() => parseAgentId(id), "");
      assertRefused(() => spawn({ id }), "id");
    });
  }

  test("an agent id is a text and is never missing", () => {
    for (const id of [undefined, null, 5, ["a"], {}]) {
      assertRefused(() => parseAgentId(id), "");
      assertRefused(() => spawn({ id }), "id");
    }
  });
});
