/** The part of the runtime's door that is about cells: who shares one, when one is replaced, what must protect them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AGENT_LIMITS } from "../../runtime/limit-options.ts";
import { parseDefinition, parseRecordSettings, parseRuntimeOptions, parseSpawnOptions } from "../../runtime/options.ts";

const open = (options: Readonly<Record<string, unknown>>) => parseRuntimeOptions({ vault: "./data", ...options });
const defaults = { durability: "os", limits: AGENT_LIMITS } as const;

describe("when cells are replaced", () => {
  it("follows the other options of cells where nothing is said", () => {
    assert.deepEqual(open({ cellMemoryMb: 400 }).recycle, { ageMs: 3_600_000, memoryMb: 300, placements: 10_000 });
    assert.equal(open({ agentsPerCell: 1_000 }).recycle.placements, 10_000);
    const recycle = { ageMs: 100, memoryMb: 50, placements: 20 };
    assert.deepEqual(open({ agentsPerCell: 2, recycle }).recycle, recycle);
  });

  const refused: readonly [what: string, options: Readonly<Record<string, unknown>>, path: string][] = [
    ["an age that would keep agents moving", { recycle: { ageMs: 99 } }, "recycle.ageMs"],
    ["an age that no timer can wait for", { recycle: { ageMs: 2 ** 31 } }, "recycle.ageMs"],
    ["growth at which the cell is killed", { cellMemoryMb: 100, recycle: { memoryMb: 100 } }, "recycle.memoryMb"],
    ["so few lives that agents would move for ever", { recycle: { placements: 249 } }, "recycle.placements"],
    ["a misspelt name", { recycle: { ageMS: 1_000 } }, "recycle"],
    ["anything but a group", { recycle: 5 }, "recycle"],
  ];
  for (const [what, options, path] of refused) {
    it(`is refused with ${what}`, () => {
      assert.throws(() => open(options), { code: "RUNTIME_OPTIONS_INVALID", message: new RegExp(path) });
    });
  }
});

describe("what must protect cells", () => {
  it("is named layer by layer", () => {
    const require = ["permission", "bubblewrap", "seccomp", "rlimits", "no_new_privs"] as const;
    assert.deepEqual(open({ sandbox: { require } }).sandbox, { require });
  });

  it("is refused where a layer is unknown, or left out by another option", () => {
    const unknown = { sandbox: { require: ["selinux"] } };
    assert.throws(() => open(unknown), { code: "RUNTIME_OPTIONS_INVALID", message: /sandbox\.require\.0/ });
    const both = { osSandbox: "off", sandbox: { require: ["permission", "seccomp"] } };
    assert.throws(() => open(both), { code: "RUNTIME_OPTIONS_INVALID", message: /sandbox\.require\.1.*"off"/ });
    open({ osSandbox: "off", sandbox: { require: ["permission", "rlimits"] } });
  });
});

describe("a trust domain", () => {
  it("is a short name, for an agent as for a definition, and absent where none is named", () => {
    const spawned = (domain?: string) => parseSpawnOptions({ id: "a", source: "s", domain }, defaults);
    assert.equal(spawned("tenant-a").domain, "tenant-a");
    assert.ok(!("domain" in spawned()));
    assert.equal(parseRecordSettings({ domain: "tenant-a" }, "a.agent.md")["domain"], "tenant-a");
    assert.equal(parseDefinition("d", { source: "s", domain: "" }, defaults).domain, "");
    for (const domain of ["a/b", "ä", "x".repeat(65), " "])
      assert.throws(() => spawned(domain), { code: "RUNTIME_OPTIONS_INVALID", message: /domain/ });
  });
});
