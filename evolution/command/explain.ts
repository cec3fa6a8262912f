/**
 * `planaria explain` and `planaria lineage`: what the arbiter decided, and where an agent's code comes from, read from a vault
 * that no program has open. Nothing of the agents is run or loaded.
 */
import type { Command } from "commander";
import type { Vault } from "../../vault/index.ts";
import type { Decision } from "../decision.ts";
import type { Records } from "../records.ts";
import { Misused, run, verb, withVault } from "./vault-verb.ts";
import type { VerbContext, VerbOptions } from "./vault-verb.ts";

/** The branch in which the arbiter keeps its records. */
const JOURNAL = "~journal:arbiter";
/** Decisions of a list where nobody says how many. */
const LIMIT = 20;

interface ExplainOptions extends VerbOptions {
  readonly vault: string;
  readonly agent?: string;
  readonly limit?: string;
}

/** Adds the verbs. */
export function register(program: Command): void {
  const explain = verb(program, "explain [decision]", {
    says: "Prints a decision of the arbiter as a person can check it, or lists the newest decisions.",
    example: "planaria explain --vault ./data --agent counter\n  planaria explain d7 --vault ./data",
  });
  explain
    .requiredOption("--vault <path>", "the vault's folder")
    .option("--agent <name>", "of this agent only")
    .option("--limit <n>", `decisions to list; default ${LIMIT}`)
    .action(async (id: string | undefined, options: ExplainOptions) =>
      run(options, async (on) =>
        withRecords(options.vault, (records) =>
          id === undefined ? list(records, options, on) : explainOne(records, id, on),
        ),
      ),
    );
  const lineage = verb(program, "lineage <agent>", {
    says: "Prints every version of an agent's code: who wrote it, which decision let it in, when it was current.",
    example: "planaria lineage counter --vault ./data",
  });
  lineage
    .requiredOption("--vault <path>", "the vault's folder")
    .action(async (agent: string, options: ExplainOptions) =>
      run(options, async (on) => withRecords(options.vault, (records) => showLineage(records, agent, on))),
    );
}

async function withRecords(path: string, work: (records: Records) => Promise<void>): Promise<void> {
  const { Records: Book } = await import("../records.ts");
  await withVault(path, async (vault) => work(Book.read(linesOf(vault))));
}

/** What the arbiter wrote, oldest first; nothing where there never was one. */
function* linesOf(vault: Vault): Iterable<string> {
  const branch = vault.head(JOURNAL);
  if (branch === undefined) return;
  for (const [, value] of branch.range()) yield Buffer.from(value).toString();
}

async function explainOne(records: Records, id: string, { say }: VerbContext): Promise<void> {
  const decision = records.decision(id);
  if (decision === undefined) throw await unknown("decision", id, records.decisions().map(idOf));
  const { explainDecision } = await import("../explain.ts");
  const probation = records.report(id);
  say(
    { decision, ...(probation === undefined ? {} : { probation }) },
    () => `${explainDecision(decision, probation)}\n`,
  );
}

async function list(records: Records, options: ExplainOptions, { say }: VerbContext): Promise<void> {
  const { agent, limit = String(LIMIT) } = options;
  if (!/^[1-9]\d{0,8}$/.test(limit)) throw new Misused(`--limit takes a number from 1 on, not ${limit}`);
  const all = records.decisions();
  const found = all.filter((decision) => agent === undefined || decision.agent === agent);
  if (agent !== undefined && found.length === 0) throw await unknown("decided agent", agent, all.map(agentOf));
  const { decisionLine } = await import("../explain.ts");
  const decisions = found.slice(-Number(limit));
  const told = decisions.map((decision) => ({ decision, probation: records.report(decision.id) }));
  say({ decisions: told, of: found.length }, () => {
    const lines = told.map(({ decision, probation }) => `${decisionLine(decision, probation)}\n`);
    return `${lines.join("")}${decisions.length} of ${found.length} decisions; planaria explain <decision> prints one whole\n`;
  });
}

async function showLineage(records: Records, agent: string, { say }: VerbContext): Promise<void> {
  const written = records.versions(agent);
  if (written.length === 0) throw await unknown("judged agent", agent, records.agents());
  const { lineageOf } = await import("../lineage.ts");
  const { explainLineage } = await import("../explain.ts");
  const versions = lineageOf(written, { decision: (id) => records.decision(id), report: (id) => records.report(id) });
  say({ agent, versions }, () => `${explainLineage(versions)}\n`);
}

async function unknown(what: string, name: string, known: readonly string[]): Promise<Misused> {
  const { nearest } = await import("../nearest.ts");
  const { clipped } = await import("../plain-text.ts");
  const near = nearest(name, [...new Set(known)]).map((each) => clipped(each, NAME_MAX));
  const hint = near.length === 0 ? "; the vault has none" : `; there are ${near.join(", ")}`;
  return new Misused(`the vault has no ${what} ${clipped(name, NAME_MAX)}${hint}`);
}

/** Characters of a name that are shown. */
const NAME_MAX = 200;

function idOf({ id }: Decision): string {
  return id;
}

function agentOf({ agent }: Decision): string {
  return agent;
}
