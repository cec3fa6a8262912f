/**
 * Simulated worlds by the thousand.
 *
 *     npm run test:simulation                       1,000 worlds, from a seed of the time
 *     npm run test:simulation -- --worlds 100000    more of them
 *     SEED=7 npm run test:simulation                that one world alone, with its trace
 *       --from 7                                    worlds from that seed on
 *       --wrong 1                                   ends after so many wrong ones; 5
 *
 * Prints each world that went wrong with its seed, and exits with 1 then.
 */
import { parseArgs } from "node:util";
import { runWorld } from "./world.ts";
import type { WorldReport } from "./world.ts";

const WORLDS = 1_000;
const PROGRESS_EVERY_MS = 5_000;
const WRONG_MAX = "5";

const { values } = parseArgs({
  options: { worlds: { type: "string" }, from: { type: "string" }, wrong: { type: "string", default: WRONG_MAX } },
});
const given = process.env["SEED"];
if (given === undefined) await many(Number(values.worlds ?? WORLDS), Number(values.from ?? Date.now() % 0x7fff_ffff));
else await one(Number(given));

async function one(seed: number): Promise<void> {
  const report = await runWorld(seed, { isTraced: true });
  for (const line of report.trace) process.stdout.write(`${line}\n`);
  process.stdout.write(textOf(report));
  process.exitCode = report.wrong.length === 0 ? 0 : 1;
}

async function many(worlds: number, from: number): Promise<void> {
  const startMs = performance.now();
  let nextMs = startMs + PROGRESS_EVERY_MS;
  let [events, virtualMs, wrong, count] = [0, 0, 0, 0];
  process.stdout.write(`${worlds} worlds from seed ${from}\n`);
  for (let seed = from; seed < from + worlds && wrong < Number(values.wrong); seed++) {
    const report = await runWorld(seed);
    count += 1;
    events += report.events;
    virtualMs += report.virtualMs;
    if (report.wrong.length > 0) {
      wrong += 1;
      process.stdout.write(textOf(report));
    }
    if (performance.now() < nextMs) continue;
    nextMs = performance.now() + PROGRESS_EVERY_MS;
    process.stderr.write(`  ${count} worlds, ${wrong} of them wrong\n`);
  }
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  const hours = (virtualMs / 3_600_000).toFixed(1);
  process.stdout.write(`${count} worlds, ${events} events, ${hours} virtual hours, ${wrong} wrong, ${seconds} s\n`);
  process.exitCode = wrong === 0 ? 0 : 1;
}

function textOf({ seed, wrong, hash, events, swarm }: WorldReport): string {
  const head = `SEED=${seed} ${hash}, ${events} events, with ${swarm.join(", ")}: ${wrong.length === 0 ? "good" : "wrong"}\n`;
  return head + wrong.map((line) => `  ${line}\n`).join("");
}
