/**
 * kill -9 of a Guardian that acknowledges commits over a pipe.
 *
 * Invariants: (1) no acknowledged commit is lost; (2) what is there is a prefix of what was written: both keys of a
 * commit, no gap; (3) the vault opens, whatever was going on (checkpoint, rotation, fork) when the process ended.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { it } from "node:test";
import { seededRandom } from "../../runtime/random.ts";
import { Vault } from "../../vault/index.ts";
import { seed } from "../support/random-runs.ts";
import { tempFolder, text, vaultOptions } from "../support/temp-vault.ts";

const ROUNDS = 4;
const GUARDIAN = join(import.meta.dirname, "../fixtures/vault-guardian.ts");

it(`no acknowledged commit is lost when the Guardian is killed, ${ROUNDS} times in a row`, async (t) => {
  t.diagnostic(`SEED=${seed}`);
  const random = seededRandom(seed);
  const path = tempFolder(t);
  let acks = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const acked = await killedAfter(path, 1 + (random.next32() % 1500));
    await using vault = await Vault.open(vaultOptions(path));
    for (const [writer, no] of acked) {
      const branch = vault.head(`writer-${writer}`);
      const found = Number(text(branch?.get("a")));
      assert.ok(found >= no, `round ${round}: writer ${writer} had ${no} acknowledged, ${found} is there`);
      assert.equal(text(branch?.get("b")), String(found), "both keys of a commit");
      for (const { label } of branch?.snapshots() ?? []) {
        const view = await branch!.at({ label });
        assert.equal(`at-${text(view.get("a"))}`, label, "a snapshot shows its moment");
      }
      acks += no;
    }
  }
  t.diagnostic(`${acks} acknowledged commits checked, 0 lost`);
});

/** Runs a Guardian until it has printed `count` lines, kills it, and returns the last number of each writer. */
async function killedAfter(path: string, count: number): Promise<Map<number, number>> {
  const child = spawn(process.execPath, [GUARDIAN, path, "ack"], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  const acked = new Map<number, number>();
  let lines = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [writer, no] = line.split(" ").map(Number);
    acked.set(writer!, no!);
    if (++lines === count) child.kill("SIGKILL");
  }
  await closed;
  assert.ok(lines >= count, "the Guardian acknowledged until it was killed");
  return acked;
}
