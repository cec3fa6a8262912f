/**
 * kill -9 while code is promoted and taken back: the vault as it is just before and just after every write and every sync, from
 * the first proposal to the last roll-back.
 *
 *     propose -> promoted -> turns -> it throws -> rolled back by itself -> propose (migrates) -> turns -> rolled back by hand -> …
 *        \--> copy of the vault at each step --> opened by another runtime and arbiter --> judge
 *     and for a few steps a real process that ends itself there with SIGKILL
 *
 * Invariants: (1) one version serves, and the state has its shape; (2) every acknowledged turn is there, once; (3) the version
 * that serves is the one that the record says; (4) whatever was told as decided or ended is on record as it was told, and
 * whatever was accepted is decided; (5) the agent and the arbiter go on.
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Decision, ProbationReport } from "../../evolution/index.ts";
import { Arbiter } from "../../evolution/index.ts";
import { Runtime } from "../../runtime/index.ts";
import { compile } from "../../sandbox/index.ts";
import type { LogFile, LogFiles } from "../../vault/index.ts";
import { systemFiles } from "../../vault/index.ts";
import { Chance } from "../support/chance.ts";
import { FIRST, THIRD, compiles, promotionOptions, runPromotions } from "./promotion-story.ts";
import type { Told } from "./promotion-story.ts";
import { inFolder, runRounds } from "./subject.ts";
import type { Outcome, Subject } from "./subject.ts";

const GUARDIAN = join(import.meta.dirname, "../fixtures/promoting-guardian.ts");
/** Steps of one story, about: where fewer faults are asked for, so many are left out between two. */
const STEPS_ABOUT = 200;
/** One fault in so many is a real process. */
const REAL_ONE_IN = 8;

/** See the header. A fault is one step at which the process ends. */
export const promotion: Subject = async (options) =>
  runRounds(options, async (round, outcome) =>
    inFolder(async (folder) => {
      const chance = new Chance(options.seed, round, 0);
      const every = Math.max(1, Math.floor(STEPS_ABOUT / (options.faults - outcome.faults)));
      const first = chance.below(every);
      const told: Told = { acked: 0, sent: 0, proposed: 0, decided: {}, ended: {}, isBegun: false };
      const path = join(folder, "vault");
      let step = 0;
      const isEnough = (): boolean =>
        outcome.faults >= options.faults || outcome.violations.length > 0 || options.isOver?.() === true;
      const remains: Remains[] = [];
      const onStep = (what: string): void => {
        // Opening a runtime is for other suites.
        if (!told.isBegun || step++ % every !== first) return;
        const copy = join(folder, `copy-${step}`);
        copyFolder(path, copy);
        remains.push({ path: copy, told: structuredClone(told), what: `${step} ${what}`, round });
      };
      await runPromotions({ path, told, files: steppedFiles(onStep) });
      for (const each of remains) {
        if (isEnough()) break;
        await check(each, { chance, outcome });
        options.onProgress?.(outcome);
      }
      if (options.faults >= REAL_ONE_IN && !isEnough()) {
        const killed = killedAt(join(folder, "killed"), 1 + chance.below(step - 1));
        await check({ ...killed, round }, { chance, outcome });
        outcome.note("processes killed");
      }
    }),
  );

interface Remains {
  readonly path: string;
  readonly told: Told;
  readonly what: string;
  readonly round: number;
}

async function check(
  { path, told, what, round }: Remains,
  { chance, outcome }: { readonly chance: Chance; readonly outcome: Outcome },
): Promise<void> {
  outcome.faults++;
  const wrong = await wrongIn(path, told, chance.oneIn(2));
  if (wrong !== undefined) outcome.violations.push({ round, what: `killed at ${what}: ${wrong}` });
  rmSync(path, { recursive: true });
}

/** Opens what was left, as a program does that is started again. What is wrong with it, if anything. */
async function wrongIn(path: string, told: Told, isArbiterFirst: boolean): Promise<string | undefined> {
  await using runtime = await Runtime.open({ ...promotionOptions, vault: path });
  const start = (): Promise<Arbiter> => Arbiter.start(runtime, { quarantineMs: 1 }, [compiles]);
  const early = isArbiterFirst ? await start() : undefined;
  const agent = await runtime.spawn({ id: "counter", source: FIRST });
  await using arbiter = early ?? (await start());
  await settled(runtime, arbiter);
  const { hash, version } = await agent.info();
  const { count, more } = (await agent.call("all")) as { count: number; more?: number }; // of the story's own agents
  if (count < told.acked || count > told.sent)
    return `${told.acked} of ${told.sent} turns were acknowledged, ${count} are there`;
  if ((more === 1) !== (version === 2)) return `version ${version} serves on a state with more: ${more}`;
  const decisions = arbiter.decisions();
  const reports = new Map<string, ProbationReport | undefined>();
  for (const { id } of decisions) reports.set(id, await arbiter.probation(id));
  const expected = serving(decisions, reports) ?? (await deployed());
  if (expected !== hash) return `by the record ${expected} serves, and it is ${hash}`;
  const newest = arbiter.lineage("counter").at(-1);
  if (newest !== undefined && newest.hash !== hash) return `the lineage ends with ${newest.hash}, and ${hash} serves`;
  return recordIsWrong(decisions, reports, told) ?? (await goesOn(runtime, arbiter, count));
}

/** A roll-back that is owed is done as soon as the agent runs. */
async function settled(runtime: Runtime, arbiter: Arbiter): Promise<void> {
  const promoted = arbiter.decisions().filter(({ ruling }) => ruling === "promoted");
  for (const { id } of promoted) {
    while ((await arbiter.probation(id)) === undefined) await runtime.ref("counter").call("all");
  }
}

/** What serves where nothing was promoted. */
async function deployed(): Promise<string> {
  return (await compile({ source: FIRST, name: "counter.agent.ts" })).hash;
}

/** What serves by what is on record; undefined where nothing was promoted. */
function serving(
  decisions: readonly Decision[],
  reports: ReadonlyMap<string, ProbationReport | undefined>,
): string | undefined {
  const last = decisions.findLast(({ ruling }) => ruling === "promoted");
  if (last === undefined) return undefined;
  return reports.get(last.id)?.end === "rolled_back" ? last.championHash : last.candidateHash;
}

function recordIsWrong(
  decisions: readonly Decision[],
  reports: ReadonlyMap<string, ProbationReport | undefined>,
  told: Told,
): string | undefined {
  const rulings = new Map(decisions.map(({ id, ruling }) => [id, ruling]));
  if (rulings.size < told.proposed) return `${told.proposed} were accepted, ${rulings.size} are decided`;
  for (const [id, ruling] of Object.entries(told.decided))
    if (rulings.get(id) !== ruling) return `${id} was told as ${ruling} and is ${rulings.get(id)}`;
  for (const [id, end] of Object.entries(told.ended))
    if (reports.get(id)?.end !== end) return `${id} was told as ${end} and is ${reports.get(id)?.end}`;
  for (const { id, ruling, code, stages } of decisions)
    if (ruling === "rejected" && code !== "EVOLUTION_INTERRUPTED") return `${id} is ${code} (${stages.length} stages)`;
  return undefined;
}

async function goesOn(runtime: Runtime, arbiter: Arbiter, count: number): Promise<string | undefined> {
  const { version } = await runtime.ref("counter").info();
  const source = THIRD.replace("version: 1", `version: ${version}`).replace("who3", "who4");
  let { ruling, code, reason } = await arbiter.propose({ agent: "counter", source });
  // The rest after a roll-back is a few milliseconds here.
  while (code === "EVOLUTION_QUARANTINED")
    ({ ruling, code, reason } = await arbiter.propose({ agent: "counter", source }));
  if (ruling !== "promoted") return `the next candidate is ${ruling}: ${reason}`;
  const next = await runtime.ref("counter").call("add", 1);
  return next === count + 1 ? undefined : `one more than ${count} is ${String(next)}`;
}

/** Segments are mostly holes; copying them as such takes milliseconds. */
function copyFolder(from: string, to: string): void {
  const { status, stderr } = spawnSync("cp", ["-r", "--sparse=always", from, to], { encoding: "utf8" });
  if (status !== 0) throw new Error(`the vault was not copied: ${stderr}`);
  rmSync(join(to, "lock"), { force: true });
  rmSync(join(to, "lock-owner"), { force: true });
}

/** The same story in a process of its own, which ends itself at some step, having said what was told by then. */
function killedAt(path: string, step: number): Omit<Remains, "round"> {
  const child = spawnSync(process.execPath, [GUARDIAN, path, `${step}`], { encoding: "utf8" });
  if (child.signal !== "SIGKILL" && (child.status !== 0 || step === 1))
    throw new Error(`the process was to end at step ${step}: ${child.stderr}`);
  if (child.signal !== "SIGKILL") {
    rmSync(path, { recursive: true });
    return killedAt(path, Math.floor(step / 2)); // commits fell into fewer groups
  }
  return { path, told: JSON.parse(child.stdout) as Told, what: `${step} of a real process` }; // written by the fixture
}

/** The system's files; `onStep` is called before and after whatever changes one. */
export function steppedFiles(onStep: (what: string) => void): LogFiles {
  const stepped = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    onStep(`before ${what}`);
    const done = await work();
    onStep(`after ${what}`);
    return done;
  };
  const wrapped = (file: LogFile): LogFile => ({
    read: (into, position) => file.read(into, position),
    close: () => file.close(),
    write: (bytes, position) => stepped("a write", () => file.write(bytes, position)),
    sync: () => stepped("a sync", () => file.sync()),
  });
  return {
    ...systemFiles,
    open: async (path, mode) => wrapped(await systemFiles.open(path, mode)),
    syncFolder: (path) => stepped("a folder's sync", () => systemFiles.syncFolder(path)),
  };
}
