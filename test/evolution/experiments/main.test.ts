/** The list of experiments, and that each name runs its file. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { experiments } from "../../../evolution/experiments/main.ts";

const folder = join(import.meta.dirname, "../../../evolution/experiments");
const run = (...args: readonly string[]): ReturnType<typeof spawnSync> =>
  spawnSync(process.execPath, [join(folder, "main.ts"), ...args], { encoding: "utf8" });

describe("npm run experiment", () => {
  it("lists what there is, and each is a file", () => {
    const { status, stdout } = run();
    assert.equal(status, 0);
    for (const [name] of experiments) {
      assert.ok(String(stdout).includes(name));
      assert.ok(existsSync(join(folder, `${name}.ts`)), name);
    }
  });

  it("refuses a name that is none, with the list", () => {
    const { status, stderr } = run("no-such-thing");
    assert.equal(status, 2);
    assert.match(String(stderr), /none called "no-such-thing"[\s\S]*circle-packing/);
  });

  it("hands options on, and the experiment's exit code back", () => {
    assert.match(String(run("circle-packing", "--help").stdout), /--seeds/);
    assert.equal(run("circle-packing", "--no-such-option").status, 2);
  });
});
