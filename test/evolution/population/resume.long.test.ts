/**
 * A search that is killed is the same search. `KILLS` of them in one run, at moments that `SEED` decides; `npm run test:populations`
 * kills twenty times.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, it } from "node:test";
import { text } from "node:stream/consumers";
import { evolve } from "../../../evolution/population/evolve.ts";
import type { SearchEvent } from "../../../evolution/population/events.ts";
import { code } from "../../support/evolution-error.ts";
import { tempFolder } from "../../support/temp-vault.ts";
import { Chance } from "../../support/chance.ts";
import { searched } from "./searched.ts";

const SEED = Number(process.env["SEED"] ?? 1);
const KILLS = Number(process.env["KILLS"] ?? 3);
const FIXTURE = join(import.meta.dirname, "../../fixtures/searching-guardian.ts");

/** Runs it until it is killed, or to its end. */
async function guardian(
  vault: string,
  order: number,
  callsLeft: number,
): Promise<{ readonly signal: unknown; readonly said: string }> {
  const child = spawn(process.execPath, [FIXTURE, vault, String(order), String(callsLeft)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said, [, signal]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  return { signal, said };
}

describe("a search that ends in the midst of it", () => {
  it(`comes to the same hash after ${KILLS} kills as without any (SEED=${SEED})`, async (t) => {
    const whole = await evolve(searched(1));
    const vault = tempFolder(t);
    const chance = new Chance(SEED);
    // Each life gets about as far as its share of all calls, and is killed somewhere on the way.
    const calls = Math.ceil((whole.evaluations * 16) / (KILLS + 1));
    for (let kill = 0; kill < KILLS; kill++) {
      const { signal } = await guardian(vault, kill + 2, chance.below(calls));
      assert.equal(signal, "SIGKILL", `kill ${kill}`);
    }
    const { said } = await guardian(vault, 99, -1);
    assert.deepEqual(JSON.parse(said), { hash: whole.hash, evaluations: whole.evaluations });
  });

  it(`comes to the same hash however often its evaluations end it on the way (SEED=${SEED})`, async (t) => {
    const budget = { evaluations: 400 };
    const whole = await evolve({ ...searched(1), budget });
    const chance = new Chance(SEED);
    for (let round = 0; round < 5; round++) {
      const vault = tempFolder(t);
      const pieces = Array.from({ length: 4 }, () => 1 + chance.below(399));
      for (const [index, evaluations] of pieces.entries())
        await evolve({ ...searched(index), vault, workers: 1 + (index % 2), budget: { evaluations } });
      const { hash } = await evolve({ ...searched(9), vault, budget });
      assert.equal(hash, whole.hash, `after ${pieces.join(", ")}`);
    }
  });

  it("repeats what is kept without running anything, and tells it again", async (t) => {
    const vault = tempFolder(t);
    const told: SearchEvent[] = [];
    const first = await evolve({ ...searched(1), vault, onEvent: (event) => void told.push(event) });
    const again: SearchEvent[] = [];
    const second = await evolve({
      ...searched(2, () => assert.fail("it was run before")),
      vault,
      onEvent: (event) => void again.push(event),
    });
    assert.equal(second.hash, first.hash);
    assert.deepEqual(again, told);
  });

  it("goes on with a larger budget as if it had been given at once", async (t) => {
    const vault = tempFolder(t);
    await evolve({ ...searched(1), vault, budget: { generations: 15 } });
    const resumed = await evolve({ ...searched(2), vault });
    assert.equal(resumed.hash, (await evolve(searched(3))).hash);
  });

  it("goes on after its signal was aborted: only whole generations count", async (t) => {
    const vault = tempFolder(t);
    const abort = new AbortController();
    let runs = 0;
    const options = searched(1, () => {
      runs += 1;
      if (runs === 2_000) abort.abort();
    });
    const cut = await evolve({ ...options, vault, signal: abort.signal });
    assert.equal(cut.why, "aborted");
    assert.ok(cut.generations > 0 && cut.generations < 40);
    const short = await evolve({ ...searched(2), budget: { generations: cut.generations } });
    assert.equal(cut.hash, short.hash);
    assert.equal((await evolve({ ...searched(3), vault })).hash, (await evolve(searched(4))).hash);
  });

  it("refuses to go on as another search: EVOLUTION_RUN_MISMATCH names what differs", async (t) => {
    const vault = tempFolder(t);
    await evolve({ ...searched(1), vault, budget: { generations: 1 } });
    await assert.rejects(evolve({ ...searched(1), vault, seed: 8 }), (error) => {
      assert.match(String(error), /seed \(7, now 8\)/);
      return code("EVOLUTION_RUN_MISMATCH")(error);
    });
    await evolve({ ...searched(1), vault, seed: 8, runId: "another", budget: { generations: 1 } });
  });

  it("notices a mutator that does not repeat: EVOLUTION_REPLAY_DIVERGED", async (t) => {
    const vault = tempFolder(t);
    await evolve({ ...searched(1), vault, budget: { generations: 3 } });
    const { mutators } = searched(2);
    const otherKind = mutators.map((each) => ({ ...each, kind: "ast" as const }));
    await assert.rejects(evolve({ ...searched(2), vault, mutators: otherKind }), code("EVOLUTION_REPLAY_DIVERGED"));
  });
});
