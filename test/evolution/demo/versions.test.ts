/**
 * The versions that the librarian proposes: each differs from its base as it says, from the sources and from the build.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { describe, it } from "node:test";
import { agentFile, edited, sourceOf, versions } from "../../../evolution/demo/versions.ts";
import { compile } from "../../../sandbox/index.ts";

describe("the versions", () => {
  for (const version of versions) {
    it(`"${version.name}" compiles and is its base with its edits`, async () => {
      const source = sourceOf(version);
      const base = readFileSync(agentFile(version.base), "utf8");
      assert.equal(source === base, version.edits.length === 0);
      for (const { by } of version.edits) assert.ok(source.includes(by));
      assert.match((await compile({ source, name: "librarian.agent.ts" })).hash, /^[0-9a-f]{64}$/);
    });

    it(`"${version.name}" can be made from the built JavaScript too`, () => {
      const built = stripTypeScriptTypes(readFileSync(agentFile(version.base), "utf8"));
      for (const { by } of version.edits) assert.ok(edited(built, version.edits).includes(by));
    });
  }

  it("are five bad ones, one that looks good, and a good one", () => {
    const fates = versions.map(({ fate }) => fate);
    assert.deepEqual(fates, [...Array.from({ length: 5 }, () => "rejected"), "rolled_back", "confirmed"]);
  });
});

describe("an edit", () => {
  it("replaces the one place where its text stands", () => {
    assert.equal(edited("a b c", [{ find: "b", by: "$&" }]), "a $& c");
  });

  for (const [what, text] of [
    ["is not there", "a c"],
    ["is there twice", "b b"],
  ] as const) {
    it(`is refused when its text ${what}`, () => {
      assert.throws(() => edited(text, [{ find: "b", by: "x" }]), /times, not once: b/);
    });
  }
});
