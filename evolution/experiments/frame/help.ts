/** What `--help` says of an experiment. Each line is true of it: an option that it has no use for is not listed. Pure. */
import { budgetText } from "./arguments.ts";
import type { Experiment } from "./experiment.ts";

const BUDGET = "per seed: a time (90s, 10m, 2h) or evaluations (20000e)";
const WORKERS = "processes for candidates (default: one per core)";
const REPEATS =
  "The same seed and a budget in evaluations give the same result. Ctrl-C ends the search and prints what was found.";

/** The text. */
export function helpText(experiment: Experiment): string {
  const { name, what, needs, help } = experiment;
  return [
    `node evolution/experiments/${name}.ts [options]`,
    "",
    what,
    "",
    ...optionsOf(experiment),
    "",
    help?.repeats ?? REPEATS,
    ...needs.map(
      ({ file, origin, licence }) => `Data: ${file} is from ${origin} (${licence}) and not part of Planaria.`,
    ),
    "",
  ].join("\n");
}

function optionsOf(experiment: Experiment): readonly string[] {
  const { needs, defaults, canResume, vaultIsFor, searches = [], help } = experiment;
  return [
    `  --seeds <1..5>      each is run and reported (default: ${defaults.seeds.join(",")})`,
    "  --seed <n>          one of them",
    `  --budget <10m>      ${help?.budget ?? BUDGET} (default: ${budgetText(defaults.budget)})`,
    ...(help?.workers === "none" ? [] : [`  --workers <n>       ${help?.workers ?? WORKERS}`]),
    ...(help?.options ?? []),
    ...(needs.length > 0 ? [`  --data <folder>     with ${needs.map(({ file }) => file).join(", ")}`] : []),
    ...(canResume ? ["  --vault <folder>    keeps the run; the same command takes it up again"] : []),
    ...(vaultIsFor === undefined ? [] : [`  --vault <folder>    ${vaultIsFor}`]),
    ...filesOf(searches),
    "  --json              the report as one object on stdout",
  ];
}

function filesOf(searches: readonly string[]): readonly string[] {
  if (searches.length === 0) return [];
  const one = searches.length === 1;
  const example = one ? "run.seed-1.html" : `run.${searches[0]}.seed-1.html`;
  return [
    "  --events <file>     everything that a search decides, one JSON object a line; a log that is there is replaced",
    "  --report <file>     the search drawn: one HTML file that needs no other; what is there is replaced",
    `                      ${one ? "with several seeds" : `${searches.length} searches a seed:`} each has its own, like ${example}`,
  ];
}
