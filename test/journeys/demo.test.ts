/**
 * The demo, run once as whoever types `npm start` runs it: its object, its exit code, and what it leaves behind.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, describe, it } from "node:test";
import type { DemoResult } from "../../evolution/demo/result.ts";

const launcher = join(import.meta.dirname, "../../evolution/command/planaria.mjs");
const temp = mkdtempSync(join(tmpdir(), "planaria-journey-"));
after(() => rmSync(temp, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Starts `planaria demo` with a temporary folder of its own, so that what it leaves there can be seen. */
function start(...args: readonly string[]): {
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly ended: Promise<Ended>;
  readonly spoke: Promise<unknown>;
} {
  const child = spawn(process.execPath, [launcher, "demo", ...args], {
    env: { ...process.env, TMPDIR: temp },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = Promise.all([once(child, "close"), text(child.stdout), text(child.stderr)]).then(
    ([[code], out, err]) => ({ code, out, err }),
  );
  return { kill: (signal) => void child.kill(signal), ended, spoke: once(child.stdout, "data") };
}

describe("planaria demo", { timeout: 240_000 }, () => {
  it("bears out every claim, prints one object, and leaves nothing behind", async () => {
    const { code, out, err } = await start("--json").ended;
    assert.equal(err, "");
    assert.equal(out.trimEnd().split("\n").length, 1);
    const result = JSON.parse(out) as DemoResult; // printed by the run above
    assert.deepEqual(
      result.claims.filter(({ holds }) => !holds),
      [],
    );
    assert.deepEqual([code, result.ok], [0, true]);
    assert.ok(result.durationMs < 120_000, `${result.durationMs} ms`);
    assert.deepEqual(readdirSync(temp), []);

    const fates = result.trials.map(({ actual, stoppedBy }) => `${actual} ${stoppedBy}`);
    assert.deepEqual(fates, [
      ...Array.from({ length: 3 }, () => "rejected smoke"),
      ...Array.from({ length: 2 }, () => "rejected replay"),
      "rolled_back probation",
      "confirmed null",
    ]);
    const roads = result.trials.map(({ stages }) => stages.map(({ stage }) => stage).join(" "));
    assert.equal(roads.at(-1), "compile static smoke adversary replay mirror split");
    assert.ok(result.trials.every(({ meanwhile }) => meanwhile.answered > 0));
    const { asked, answered, refused, lost } = result.total;
    assert.equal(asked, answered + refused + lost);
    assert.equal(
      asked,
      result.phases.reduce((sum, phase) => sum + phase.asked, 0),
    );
    assert.notEqual(result.cellKill.pid, result.cellKill.newPid);
    assert.ok(result.runtimeKill.acknowledged > 0);
    assert.equal(result.runtimeKill.notes.missing, 0);
    // Seven versions, and a second verdict on the one that was taken back.
    assert.equal(result.verdictsRemembered, 8);
  });

  it("ends in order on Ctrl-C, with the shell's code for it, and leaves nothing behind", async () => {
    const run = start();
    await run.spoke;
    run.kill("SIGINT");
    const { code, out } = await run.ended;
    assert.equal(code, 130);
    assert.match(out, /^planaria demo: /);
    assert.deepEqual(readdirSync(temp), []);
  });

  it("keeps the folder on --keep and says where", async () => {
    const run = start("--keep");
    await run.spoke;
    run.kill("SIGTERM");
    const { code, err } = await run.ended;
    assert.equal(code, 143);
    const [kept = ""] = readdirSync(temp);
    assert.match(kept, /^planaria-demo-/);
    assert.ok(err.includes(join(temp, kept)), err);
  });

  it("explains itself on --help and refuses an option it does not know", async () => {
    const [help, wrong] = await Promise.all([start("--help").ended, start("--grow").ended]);
    assert.equal(help.code, 0);
    assert.match(help.out, /--json[\s\S]*--keep/);
    assert.deepEqual([wrong.code, wrong.out], [2, ""]);
    assert.match(wrong.err, /unknown option '--grow'/);
  });
});
