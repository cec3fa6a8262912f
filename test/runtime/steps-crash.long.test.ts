/**
 * The Guardian itself is killed with SIGKILL while agents run durable steps, again and again at random moments, and started
 * on the same vault; the caller repeats what it has no answer for.
 *
 * Invariants that are checked against the ledger of the world outside
 * 1. All effects of one step of one order carry one key, and no other step has it.
 * 2. After a result was recorded and given on, the effect never happens again: the reply names the last line of its step.
 * 3. Every order happens once, also at the agent that it calls.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { freshSeed } from "../../runtime/random.ts";
import { Chance } from "../support/chance.ts";

/** Vaults, each with its own Guardian, side by side. */
const VAULTS = 2;
/** Kills of each. */
const KILLS = 10;
/** An order says five lines. */
const LINES_MAX = 12;
const GUARDIAN = new URL("../fixtures/paying-guardian.ts", import.meta.url).pathname;

/** One life of a Guardian: killed when it has said `lines` lines, or left to come to its end. */
async function live(options: {
  readonly folder: string;
  readonly first: number;
  readonly last: number;
  readonly lines: number;
}): Promise<readonly string[]> {
  const { folder, first, last, lines } = options;
  const args = [GUARDIAN, join(folder, "vault"), join(folder, "ledger"), String(first), String(last)];
  const env = { ...process.env, NODE_COMPILE_CACHE: join(folder, "cache") };
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"], env });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const said: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    said.push(line);
    if (said.length === lines) child.kill("SIGKILL");
  }
  await ended;
  return said;
}

/** The orders that were answered, with their replies. */
function repliesIn(said: readonly string[]): readonly (readonly [no: number, reply: readonly number[]])[] {
  return said
    .filter((line) => line.startsWith("acked "))
    .map((line) => {
      const [, no = "", reply = ""] = line.split(" ");
      return [Number(no), JSON.parse(reply) as number[]] as const; // written by the fixture
    });
}

/** Kills and restarts, then lets it come to its end. The orders that were answered, and what the last life said at last. */
async function torment(
  folder: string,
  chance: Chance,
): Promise<{ readonly replies: ReadonlyMap<number, readonly number[]>; readonly lastWords: string | undefined }> {
  const replies = new Map<number, readonly number[]>();
  let lastWords: string | undefined;
  for (let kills = 0; kills <= KILLS; kills++) {
    const first = replies.size + 1;
    const isLast = kills === KILLS;
    const lines = isLast ? Number.POSITIVE_INFINITY : 1 + chance.below(LINES_MAX);
    const said = await live({ folder, first, last: isLast ? first : Number.MAX_SAFE_INTEGER, lines });
    for (const [no, reply] of repliesIn(said)) replies.set(no, reply);
    lastWords = said.at(-1);
  }
  return { replies, lastWords };
}

describe("a Guardian that is killed while agents run steps", () => {
  it(
    `repeats no recorded effect, and others with their key alone, over ${VAULTS * KILLS} kills`,
    { timeout: 300_000 },
    async (t) => {
      const seed = Number(process.env["SEED"] ?? freshSeed());
      t.diagnostic(`SEED=${seed}`);
      const folders = await Promise.all(
        Array.from({ length: VAULTS }, () => mkdtemp(join(tmpdir(), "planaria-steps-"))),
      );
      t.after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));
      await Promise.all(
        folders.map(async (folder, vault) => {
          const { replies, lastWords } = await torment(folder, new Chance(seed, vault, 0));
          const orders = replies.size;
          assert.equal(
            lastWords,
            `done ${JSON.stringify([orders, orders])}`,
            "each order happened once in both agents",
          );
          const repeats = checkLedger((await readFile(join(folder, "ledger"), "utf8")).trimEnd().split("\n"), replies);
          t.diagnostic(`${orders} orders, ${repeats} effects repeated with their key`);
        }),
      );
    },
  );
});

/** Invariants 1 and 2. Returns how many effects happened again before they were recorded. */
function checkLedger(ledger: readonly string[], replies: ReadonlyMap<number, readonly number[]>): number {
  const lastLine = new Map<string, number>();
  const keys = new Map<string, Set<string>>();
  for (const [index, line] of ledger.entries()) {
    const [step = "", key = ""] = line.split(" ");
    lastLine.set(step, index + 1);
    keys.set(step, (keys.get(step) ?? new Set()).add(key));
  }
  for (const [no, [charged, booked, shipped]] of replies) {
    assert.deepEqual([charged, booked, shipped], [lastLine.get(`${no}.charge`), no, lastLine.get(`${no}.ship`)]);
  }
  const sets = [...keys.values()];
  assert.deepEqual(
    sets.filter(({ size }) => size !== 1),
    [],
    "one key per step",
  );
  assert.equal(new Set(sets.flatMap((each) => [...each])).size, keys.size, "one step per key");
  return ledger.length - keys.size;
}
