/** `planaria vault list | history | diff`: what is in a vault, what happened to an agent, what changed in between. */
import type { Command } from "commander";
import type { Change, HistoryEntry, View } from "../../vault/index.ts";
import { bytesText, counted } from "./vault-progress.ts";
import { Misused, agentOf, run, typedPoint, verb, withVault } from "./vault-verb.ts";
import type { VerbContext, VerbOptions } from "./vault-verb.ts";

/** Entries of a history that are shown where nobody says how many. */
const LIMIT = 20;

/** Adds the verbs. */
export function register(group: Command): void {
  verb(group, "list <vault>", {
    says: "Lists agents, unnamed branches and snapshots with their sizes.",
    example: "planaria vault list ./data",
  }).action(async (path: string, options: VerbOptions) => run(options, async (on) => list(path, on)));
  verb(group, "history <vault> <agent>", {
    says: "Shows what was done to an agent, newest first.",
    example: "planaria vault history ./data counter --limit 5",
  })
    .option("--limit <n>", `entries to show; default ${LIMIT}`)
    .action(async (path: string, agent: string, options: VerbOptions & { readonly limit?: string }) =>
      run(options, async (on) => history(path, agent, { limit: limitOf(options.limit), on })),
    );
  verb(group, "diff <vault> <agent> <a> [b]", {
    says: "Shows the keys in which two points of an agent differ: labels, seq:17, time:2026-11-21T10:00:00Z, -10m; b is now where it is not given.",
    example:
      "planaria vault diff ./data counter clean\n  planaria vault diff ./data counter seq:17 seq:20\n  planaria vault diff ./data counter -10m",
  })
    // A span such as -10m looks like an option. What is neither is refused as a point.
    .allowUnknownOption()
    .action(async (path: string, agent: string, a: string, b: string | undefined, options: VerbOptions) =>
      run(options, async (on) => diff(path, agent, { points: [a, b], on })),
    );
}

async function list(path: string, { say }: VerbContext): Promise<void> {
  await withVault(path, async (vault) => {
    const branches = vault.maintenance.overview();
    const { pages, logBytes, seq } = vault.stats();
    say({ uuid: vault.uuid, seq, pages, logBytes, branches }, () => {
      const lines = branches.map(({ branch, name, head, parent, bytes, snapshots }) => {
        const origin = parent === undefined ? "" : `, forked from branch ${parent.branch} at ${parent.seq}`;
        const labels = snapshots.map(({ label, seq: at }) => `    ${label} (seq ${at})\n`).join("");
        return `${name ?? "(unnamed)"}: branch ${branch}, head ${head}, about ${bytesText(bytes)}${origin}\n${labels}`;
      });
      return `${lines.join("")}${counted(branches.length, "branch")}, ${counted(pages, "page")}, log ${bytesText(logBytes)}, seq ${seq}\n`;
    });
  });
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return LIMIT;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new Misused(`--limit takes a number from 1 on, not ${text}`);
}

interface Looking {
  readonly limit: number;
  readonly on: VerbContext;
}

async function history(path: string, agent: string, { limit, on }: Looking): Promise<void> {
  await withVault(path, async (vault) => {
    const entries = await agentOf(vault, agent).history({ limit });
    on.say({ agent, entries: entries.map(plainEntry) }, () => entries.map(entryLine).join(""));
  });
}

function plainEntry({ note, ...entry }: HistoryEntry): object {
  return note === undefined ? entry : { ...entry, note: Buffer.from(note).toString("base64") };
}

function entryLine({ seq, timeMs, kind, label, keys, origin }: HistoryEntry): string {
  const time = new Date(origin?.timeMs ?? timeMs).toISOString();
  const shown = keys.length > 4 ? `${keys.slice(0, 4).join(", ")} and ${keys.length - 4} more` : keys.join(", ");
  const from = origin === undefined ? "" : ` (imported, seq ${origin.seq} there)`;
  return `${String(seq).padStart(8)}  ${time}  ${kind.padEnd(8)}  ${label ?? shown}${from}\n`;
}

interface Comparing {
  readonly points: readonly [string, string | undefined];
  readonly on: VerbContext;
}

async function diff(path: string, agent: string, { points: [a, b], on }: Comparing): Promise<void> {
  await withVault(path, async (vault) => {
    const branch = agentOf(vault, agent);
    const before = await branch.at(await typedPoint(a));
    const after: View = b === undefined ? branch : await branch.at(await typedPoint(b));
    const changes: PlainChange[] = [];
    for (const change of vault.diff(before, after)) {
      on.signal.throwIfAborted();
      changes.push(plainChange(change));
    }
    on.say({ agent, changes }, () => (changes.length === 0 ? "no key differs\n" : changes.map(changeLine).join("")));
  });
}

interface PlainChange {
  readonly key: string;
  readonly change: "added" | "removed" | "changed";
  readonly bytesBefore: number | undefined;
  readonly bytesAfter: number | undefined;
}

function plainChange({ key, before, after }: Change): PlainChange {
  const change = before === undefined ? "added" : after === undefined ? "removed" : "changed";
  return { key, change, bytesBefore: before?.length, bytesAfter: after?.length };
}

function changeLine({ key, change, bytesBefore, bytesAfter }: PlainChange): string {
  const sign = { added: "+", removed: "-", changed: "~" }[change];
  const sizes = [bytesBefore, bytesAfter].filter((bytes) => bytes !== undefined).map(bytesText);
  return `${sign} ${key}  ${sizes.join(" -> ")}\n`;
}
