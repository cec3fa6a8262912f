/** docs/LIMITS.md says what the code does: defaults, ranges, codes; and limits that make no sense together are refused. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { RuntimeError } from "../../runtime/index.ts";
import { cellContradictions, limitContradictions, machineMb } from "../../runtime/limit-checks.ts";
import { AGENT_LIMITS } from "../../runtime/limit-options.ts";
import { parseRuntimeOptions, parseSpawnOptions } from "../../runtime/options.ts";

const root = join(import.meta.dirname, "../..");
const text = (path: string): string => readFileSync(join(root, path), "utf8");
const codes = text("sandbox/errors.ts") + text("runtime/errors.ts");

interface Row {
  readonly name: string;
  readonly unit: string;
  readonly standard: string;
  readonly least: string;
  readonly most: string;
  readonly code: string;
  readonly by: string;
}

const rows: readonly Row[] = [...text("docs/LIMITS.md").matchAll(/^\| `(\w+)` *\|(.*)\|$/gm)].map(
  ([, name = "", rest = ""]) => {
    const [unit = "", standard = "", least = "", most = "", code = "", by = ""] = rest
      .split("|")
      .map((cell) => cell.trim());
    return { name, unit, standard, least, most, code, by };
  },
);
const ofAgents = rows.filter(({ name }) => name in AGENT_LIMITS);
const ofRuntimes = rows.filter(({ name }) => !(name in AGENT_LIMITS));

const withLimit = (limits: object): unknown => parseSpawnOptions({ id: "a", source: "s", limits }, defaults).limits;
const defaults = { durability: "disk", limits: AGENT_LIMITS } as const;
const open = (options: object): unknown => parseRuntimeOptions({ vault: "v", ...options });

function refusal(parse: () => unknown): string {
  try {
    parse();
  } catch (error) {
    assert.ok(error instanceof RuntimeError);
    assert.equal(error.code, "RUNTIME_OPTIONS_INVALID");
    return error.message;
  }
  return assert.fail("it was taken");
}

describe("the page of limits", () => {
  it("has every limit of an agent, in the order of the code, and those of cells", () => {
    assert.deepEqual(
      ofAgents.map(({ name }) => name),
      Object.keys(AGENT_LIMITS),
    );
    assert.deepEqual(
      ofRuntimes.map(({ name }) => name),
      ["cellMemoryMb", "agentsPerCell", "cells", "spares"],
    );
  });

  for (const { name, standard, least, most, code, unit, by } of ofAgents) {
    it(`${name}: default, range and code are the code's`, () => {
      const limits: Readonly<Record<string, number>> = { ...AGENT_LIMITS };
      assert.equal(limits[name], Number(standard));
      for (const value of [Number(least), Number(most)]) withLimit({ [name]: value });
      for (const value of [Number(least) - 1, Number(most) + 1])
        assert.match(
          refusal(() => withLimit({ [name]: value })),
          new RegExp(`limits\\.${name}`),
        );
      assert.ok(unit !== "" && by !== "");
      const named = /^`(\w+)`$/.exec(code)?.[1];
      assert.ok(code.startsWith("none:") || (named !== undefined && codes.includes(`"${named}"`)), code);
    });
  }

  for (const { name, standard, least, most } of ofRuntimes) {
    it(`${name}: default and range are the code's`, () => {
      const parsed = open({}) as Readonly<Record<string, unknown>>; // its own parsed options
      if (/^\d+$/.test(standard)) assert.equal(parsed[name], Number(standard));
      const greatest = /^\d+$/.test(most) ? Number(most) : machineMb();
      for (const value of [Number(least), greatest]) open({ [name]: value });
      for (const value of [Number(least) - 1, greatest + 1])
        assert.match(
          refusal(() => open({ [name]: value })),
          new RegExp(name),
        );
    });
  }
});

describe("limits that make no sense", () => {
  const place = { machineMb: 2_048, cellMemoryMb: 1_024 };
  const sane = { heapMb: 32, cpuMs: 250, wallMs: 500 };

  it("are told apart: more than the machine has, more than a cell may have, less time than CPU time", () => {
    assert.deepEqual(limitContradictions(sane, place), []);
    assert.match(limitContradictions({ ...sane, heapMb: 3_000 }, place)[0]?.message ?? "", /this machine has 2048 MiB/);
    assert.match(limitContradictions({ ...sane, heapMb: 1_500 }, place)[0]?.message ?? "", /raise cellMemoryMb/);
    assert.deepEqual(
      limitContradictions({ heapMb: 3_000, cpuMs: 2, wallMs: 1 }, place).map(({ path }) => path),
      ["limits.wallMs", "limits.heapMb"],
    );
    assert.deepEqual(cellContradictions(2_048, 2_048), []);
    assert.match(cellContradictions(2_049, 2_048)[0]?.message ?? "", /this machine has 2048 MiB: give less/);
  });

  it("are refused where they are given", () => {
    assert.match(
      refusal(() => withLimit({ heapMb: 7 })),
      /limits\.heapMb/,
    );
    assert.match(
      refusal(() => withLimit({ cpuMs: 20, wallMs: 10 })),
      /limits\.wallMs: less than cpuMs \(20\)/,
    );
    assert.match(
      refusal(() => open({ cellMemoryMb: machineMb() + 1 })),
      /cellMemoryMb: this machine has/,
    );
    assert.match(
      refusal(() => open({ cellMemoryMb: 64, limits: { heapMb: 65 } })),
      /limits\.heapMb: at 64 MiB a cell is ended/,
    );
    const runtime = { ...defaults, cellMemoryMb: 64 };
    const spawn = (): unknown => parseSpawnOptions({ id: "a", source: "s", limits: { heapMb: 65 } }, runtime);
    assert.match(refusal(spawn), /raise cellMemoryMb of Runtime\.open/);
  });

  it("follow each other where only one of two is given", () => {
    assert.partialDeepStrictEqual(withLimit({ wallMs: 10 }), { cpuMs: 10, wallMs: 10 });
    assert.partialDeepStrictEqual(withLimit({ cpuMs: 1_000 }), { cpuMs: 1_000, wallMs: 2_000 });
    assert.partialDeepStrictEqual(open({ limits: { heapMb: 1_000 } }), { cellMemoryMb: 2_000 });
  });
});
