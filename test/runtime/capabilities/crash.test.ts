/**
 * The Guardian is killed with SIGKILL while a turn uses a capability, and started again on the same vault: the message comes
 * again, and the effect does not.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { describe, it } from "node:test";
import { tempFolder } from "../../support/temp-vault.ts";

const GUARDIAN = new URL("../../fixtures/effect-guardian.ts", import.meta.url).pathname;

/** One life of the program: killed when it says `last`, or left to come to its end. What it said. */
async function live(folder: string, mode: string, last?: string): Promise<readonly string[]> {
  const args = [GUARDIAN, join(folder, "vault"), join(folder, "ledger"), mode];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const said: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    said.push(line);
    if (line === last) child.kill("SIGKILL");
  }
  await ended;
  return said;
}

async function effects(folder: string): Promise<readonly string[]> {
  const ledger = await readFile(join(folder, "ledger"), "utf8");
  return ledger
    .trimEnd()
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "");
}

const told = (said: readonly string[]): unknown => said.map((line) => JSON.parse(line) as unknown);

describe("a Guardian that is killed while an agent uses a capability", { concurrency: 3 }, () => {
  it("tells the turn that comes again that nobody knows, where the call had begun and not ended", async (t: TestContext) => {
    const folder = tempFolder(t);
    assert.deepEqual(await live(folder, "pay-hangs", "paid"), ["paid"]);
    assert.deepEqual(told(await live(folder, "through")), [
      ["RUNTIME_CAPABILITY_OUTCOME_UNKNOWN"],
      [
        ["pay", "unknown"],
        ["rest", "ok"],
      ],
    ]);
    assert.deepEqual(await effects(folder), ["10"]);
  });

  it("gives the turn that comes again what it was answered, in one piece and in parts, where the call had ended", async (t: TestContext) => {
    const folder = tempFolder(t);
    assert.deepEqual(await live(folder, "rest-hangs", "resting"), ["resting"]);
    assert.deepEqual(told(await live(folder, "through")), [
      [{ receipt: 10 }, "a", { b: 2 }, "RUNTIME_CAPABILITY_OUTCOME_UNKNOWN"],
      [
        ["pay", "ok"],
        ["parts", "ok"],
        ["rest", "unknown"],
      ],
    ]);
    assert.deepEqual(await effects(folder), ["10", "parts"]);
  });

  it("does the same for the turn of a timer", async (t: TestContext) => {
    const folder = tempFolder(t);
    assert.deepEqual(await live(folder, "timer-hangs", "resting"), ["resting"]);
    const [seen] = told(await live(folder, "timer")) as readonly unknown[]; // what it said, line by line
    assert.deepEqual(seen, [{ receipt: 10 }, "a", { b: 2 }, "RUNTIME_CAPABILITY_OUTCOME_UNKNOWN"]);
    assert.deepEqual(await effects(folder), ["10", "parts"]);
  });
});
