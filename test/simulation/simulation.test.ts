/**
 * Random worlds, and those that once went wrong. `SEED=<number>` begins the random ones there; what went wrong names
 * the seed of its world, which `SEED=<that> npm run test:simulation` shows event by event.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { runWorld } from "./world.ts";

const WORLDS = 120;

/** Worlds that showed something, and what it was. */
const FOUND: readonly (readonly [seed: number, what: string])[] = [
  [93, "a supervisor charges a restart when it decides about it, not when the child ended"],
  [1_712, "an agent below whom subagents live ends on a full disk, and nobody's promise is left over"],
  [1_713, "a supervisor stops a child below which subagents live, on a full disk"],
  [2_834, "who takes the name of an agent that was let go waits for its last commit"],
  [3_903, "a swap that is overtaken by the end of its agent gives nobody a life"],
  [2_147_098_661, "an agent that is killed and parked while it waits for a slow cell to move to stays parked"],
  [2_147_099_029, "an agent that is killed and parked while it loads in another cell stays parked"],
  [2_147_099_048, "an agent that is killed for its shutdown time as it moves and the runtime closes stays parked"],
  [821_390, "an effect that was recorded is not repeated by an agent that went back to an earlier snapshot"],
  [
    5_213_006,
    "a message that returns as its life ends on a full disk is not failed as well, by the question it had open",
  ],
  [5_212_774, "what waited for a subscription is taken back from an agent that goes back to before it subscribed"],
  [8_681_994, "a message that comes while a name is still its former agent's does not give the next one two lives"],
  [8_681_570, "children that are told to end as they start, because their supervisor is, end in whatever order"],
];

describe("simulated worlds", () => {
  it(`${WORLDS} random ones keep all invariants, and become healthy`, async (t) => {
    const from = Number(process.env["SEED"] ?? 1); // the same in each run; `npm run test:simulation` draws others
    t.diagnostic(`SEED=${from}`);
    const wrong: string[] = [];
    for (let seed = from; seed < from + WORLDS; seed++) {
      const report = await runWorld(seed);
      wrong.push(...report.wrong.map((line) => `SEED=${seed} ${line}`));
    }
    assert.deepEqual(wrong, []);
  });

  it("the same seed gives the same world, another one another", async () => {
    const [first, again, other] = [await runWorld(7), await runWorld(7), await runWorld(8)];
    assert.ok(first.events > 20, "something happens");
    assert.deepEqual(again, first);
    assert.notEqual(other.hash, first.hash);
  });

  it("a world of a fresh process is the same as one among many", async () => {
    const { hash } = await runWorld(9);
    const main = join(import.meta.dirname, "main.ts");
    const { stdout } = await promisify(execFile)(process.execPath, [main], { env: { ...process.env, SEED: "9" } });
    assert.match(stdout, new RegExp(`^SEED=9 ${hash}, .*: good$`, "m"));
  });

  for (const [seed, what] of FOUND) {
    it(what, async () => {
      assert.deepEqual((await runWorld(seed)).wrong, []);
    });
  }
});
