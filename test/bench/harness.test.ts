/**
 * The bench as it is started from a shell, as far as it goes without measuring.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";

const harness = join(import.meta.dirname, "../../bench/harness.ts");
const bench = (...args: string[]) =>
  spawnSync(process.execPath, [harness, ...args], { encoding: "utf8", timeout: 30_000 });

describe("npm run bench", () => {
  it("with an unknown suite ends with code 2, lists the suites and measures nothing", () => {
    const { status, stdout, stderr } = bench("no-such-suite");
    assert.equal(status, 2);
    assert.match(stderr, /no suite called no-such-suite\nSuites: .*\bfirst\b/);
    assert.equal(stdout, "");
  });
  it("with an unknown option ends with code 2", () => assert.equal(bench("--fast").status, 2));
  it("--help lists every suite with what it measures", () => {
    const { status, stdout } = bench("--help");
    assert.equal(status, 0);
    assert.match(stdout, /^ {2}first +recovery/m);
    assert.match(stdout, /^ {2}vault +forks/m);
    assert.match(stdout, /^ {2}tree +the end/m);
    assert.match(stdout, /--quick[\s\S]*--json[\s\S]*--strict/);
  });
});
