/**
 * The examples as a newcomer runs them: each in a process of its own, each short, each leaving nothing behind.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";

const folder = join(import.meta.dirname, "../examples");
/** The examples put their vaults here, so that whatever they leave can be seen. */
const temp = mkdtempSync(join(tmpdir(), "planaria-examples-"));
after(() => rmSync(temp, { recursive: true, force: true }));

const LINES_MAX = 40;
const TIMEOUT_MS = 60_000;

/** What each must have said, in this order. */
const told: Readonly<Record<string, readonly RegExp[]>> = {
  "first-agent.ts": [
    /^add 1 +-> 1, and it is on disk$/m,
    /^killed +->/m,
    /^add 1 +-> 2: a new isolate, nothing forgotten$/m,
    /^fork, add 40 -> 42 there, still 2 here$/m,
    /^reopened +-> the counter stands at 2$/m,
  ],
  "crash.ts": [
    /^heap bomb: SANDBOX_HEAP_EXCEEDED; answered \d+ ms later, notes: 1$/m,
    /^endless loop: SANDBOX_(?:CPU|WALL)_EXCEEDED; answered \d+ ms later, notes: 2$/m,
    /^kill -9: process gone; answered \d+ ms later, notes: 3$/m,
    /^neighbour: answered ([1-9]\d*) of \1 calls meanwhile/m,
  ],
  "table.ts": [
    /^filed +-> 6000 letters of 4 KB$/m,
    /^killed +-> a new isolate finds bob\/000001 without loading the others$/m,
    /^heap +-> [1-5] MB$/m,
    /^fork +-> bob's letters are burnt there: 0 left, and 5 of 5 found here$/m,
  ],
  "supervisors.ts": [
    /^sold +-> 1$/m,
    /^root {2}one_for_one\n└─ shop {2}rest_for_one, up\n {3}├─ stock {2}up\n {3}├─ till {2}up\n {3}└─ guests {2}dynamic, up\n {6}└─ ada {2}up$/m,
    /^restarted +-> the till after the stock, and it knows of 1 sale$/m,
    /^guests +-> 0, they came in by hand$/m,
    /^ended +-> shop gave up: too many restarts, the last of shop\/till/m,
    /^given up +-> RUNTIME_AGENT_DOWN$/m,
    /^revived +-> the till knows of 1 sale$/m,
  ],
  "watch.ts": [
    /^started +-> Hello Ada, you are number 1\. $/m,
    /^saved +-> Welcome Ada, you are number 2\. $/m,
    /^record +-> Welcome Ada, you are number 3\. Be seated\.$/m,
    /^refused +-> line 4: SANDBOX_COMPILE_FAILED$/m,
    /^broken +-> Welcome Ada, you are number 4\. Be seated\.$/m,
  ],
  "evolve.ts": [
    /^decision d1: rejected$[\s\S]*compile: primes\.agent\.ts:4:\d+: /m,
    /^decision d2: rejected$[\s\S]*a different answer[\s\S]*expected 15\n +got +19/m,
    /^decision d3: promoted$[\s\S]*40 of 40 turns answered alike/m,
    /^It answers 40 of 40 questions as before and remembers all 80 it was asked\.$/m,
  ],
};

describe("the examples", () => {
  it("are all run here", () => {
    const found = readdirSync(folder).filter((name) => name.endsWith(".ts"));
    assert.deepEqual(found.toSorted(), Object.keys(told).toSorted());
  });
});

for (const [name, patterns] of Object.entries(told)) {
  describe(`examples/${name}`, () => {
    it(`is under ${LINES_MAX} lines`, () => {
      const lines = readFileSync(join(folder, name), "utf8").trimEnd().split("\n").length;
      assert.ok(lines < LINES_MAX, `${lines} lines`);
    });
    it("tells its story, ends with 0 and leaves nothing behind", () => {
      const env = { ...process.env, TMPDIR: temp };
      const options = { encoding: "utf8", timeout: TIMEOUT_MS, env } as const;
      const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, name)], options);
      assert.equal(status, 0, stderr);
      assert.equal(stderr, "");
      let from = 0;
      for (const pattern of patterns) {
        const found = pattern.exec(stdout.slice(from));
        assert.ok(found, `${pattern} is not in:\n${stdout.slice(from)}`);
        from += found.index + found[0].length;
      }
      assert.deepEqual(readdirSync(temp), []);
    });
  });
}
