/**
 * The comparison of the supervision core with the real OTP, on random trees and random failures.
 *
 *     npm run test:otp                        at least 100,000 random events
 *     npm run test:otp -- --events 1000000    more of them
 *       --seed 7                              the cases of that seed; else of the time
 *       --case 123                            from this case of the seed on
 *
 * Prints what was compared, and exits with 1 at the first difference, which is shown beside a case made small. Without
 * Erlang it says so and exits with 0: there is nothing to compare with.
 */
import { parseArgs } from "node:util";
import { compareWithOtp } from "./comparison.ts";
import type { Mismatch, Tally } from "./comparison.ts";
import { hasErlang, Reference } from "./reference.ts";

const EVENTS_MIN = 100_000;
const PROGRESS_EVERY_MS = 5_000;

const { values } = parseArgs({
  options: { events: { type: "string" }, seed: { type: "string" }, case: { type: "string" } },
});
if (hasErlang()) {
  await run();
} else {
  process.stdout.write("skipped: no Erlang on this machine (Debian: apt install erlang-base elixir)\n");
}

async function run(): Promise<void> {
  const seed = values.seed === undefined ? Date.now() % 0x7fff_ffff : Number(values.seed);
  const startMs = performance.now();
  let nextMs = startMs + PROGRESS_EVERY_MS;
  await using reference = await Reference.open();
  const { otp, dynamic } = reference.facts;
  const dynamicText = dynamic ? "with Elixir's DynamicSupervisor" : 'no Elixir here: strategy "dynamic" is left out';
  process.stdout.write(`OTP ${otp}, ${dynamicText}; seed ${seed}\n`);
  const { mismatch, ...tally } = await compareWithOtp({
    reference,
    seed,
    eventsMin: Number(values.events ?? EVENTS_MIN),
    firstNumber: Number(values.case ?? 0),
    onProgress: (soFar) => {
      if (performance.now() < nextMs) return;
      nextMs = performance.now() + PROGRESS_EVERY_MS;
      process.stderr.write(`  ${textOf(soFar)}\n`);
    },
  });
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  process.stdout.write(`${textOf(tally)}, ${mismatch === undefined ? 0 : 1} mismatches, ${seconds} s\n`);
  if (mismatch === undefined) return;
  process.stdout.write(mismatchText(mismatch));
  process.exitCode = 1;
}

function textOf({ cases, actions, events, unsteady }: Tally): string {
  const again = unsteady === 0 ? "" : ` (${unsteady} of them run again: OTP had no time to run)`;
  return `${events} events in ${actions} actions of ${cases} cases${again}`;
}

function mismatchText({ found, smallest, otp, difference }: Mismatch): string {
  const { index, ours } = difference;
  const action = index === 0 ? { op: "start" } : smallest.when[index - 1];
  return `
case ${found}, made small:
${JSON.stringify(smallest)}

differs at step ${index}: ${JSON.stringify(action)}
  OTP:  ${JSON.stringify(difference.otp)}
  ours: ${JSON.stringify(ours)}

a line for test/fixtures/supervision/:
${JSON.stringify({ case: smallest, trace: otp })}
`;
}
