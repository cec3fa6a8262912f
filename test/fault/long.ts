/**
 * The long form of the fault suites.
 *
 *     npm run test:fault                          every subject, with the figures that a release asks for
 *     npm run test:fault -- power kill            these subjects
 *       --budget 30                               minutes for each subject, however many faults that makes
 *       --seed 7                                  the faults of that seed; else of the time
 *       --round 12                                one round only: what a violation prints
 *
 * Prints `N faults, 0 violations` for each subject and exits with 1 when there was a violation.
 */
import { parseArgs } from "node:util";
import { subjects } from "./subjects.ts";
import type { Outcome, Subject } from "./subject.ts";

const PROGRESS_EVERY_MS = 10_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    budget: { type: "string" },
    seed: { type: "string" },
    round: { type: "string" },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help === true) {
  process.stdout.write(usage());
  process.exit();
}
const seed = values.seed === undefined ? Date.now() % 0x7fff_ffff : Number(values.seed);
const unknown = positionals.filter((name) => !(name in subjects));
if (unknown.length > 0)
  throw new Error(`no subject ${unknown.join(", ")}; there are ${Object.keys(subjects).join(", ")}`);

for (const [name, { run, faults }] of Object.entries(subjects)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  report(name, await long(name, run, faults));
}

async function long(name: string, run: Subject, faults: number): Promise<Outcome> {
  const startMs = performance.now();
  const endMs = values.budget === undefined ? Infinity : startMs + Number(values.budget) * 60_000;
  let nextMs = startMs + PROGRESS_EVERY_MS;
  return run({
    seed,
    faults: values.budget === undefined ? faults : Infinity,
    ...(values.round === undefined ? {} : { round: Number(values.round) }),
    isOver: () => performance.now() > endMs,
    onProgress: (outcome) => {
      if (performance.now() < nextMs) return;
      nextMs = performance.now() + PROGRESS_EVERY_MS;
      const seconds = Math.round((performance.now() - startMs) / 1000);
      process.stderr.write(`${name}: ${outcome.toString()}, ${seconds} s\n`);
    },
  });
}

function usage(): string {
  return `npm run test:fault -- [subject ...] [--budget <minutes>] [--seed <n>] [--round <n>]

Kills, power cuts, damage and disk errors, by chance; prints "N faults, 0 violations" for each subject, and exits with 1 when
there was a violation. Without a subject all of them, with the figures that a release asks for.

Subjects: ${Object.keys(subjects).join(", ")}
  --budget <minutes>  for each subject, however many faults that makes
  --seed <n>          the faults of that seed; else of the time
  --round <n>         one round only: what a violation prints
`;
}

function report(name: string, outcome: Outcome): void {
  process.stdout.write(`${name}: ${outcome.toString()}, seed ${seed}\n`);
  for (const { what, round } of outcome.violations) {
    process.stdout.write(`  ${what}\n  repeat: npm run test:fault -- ${name} --seed ${seed} --round ${round}\n`);
  }
  if (outcome.violations.length > 0) process.exitCode = 1;
}
