/** `planaria vault export | import`: one agent with its history as one file. */
import { lstat, open } from "node:fs/promises";
import type { Command } from "commander";
import type { Vault } from "../../vault/index.ts";
import { bytesText, share } from "./vault-progress.ts";
import { Misused, agentOf, run, typedAt, verb, withVault } from "./vault-verb.ts";
import type { VerbContext, VerbOptions } from "./vault-verb.ts";

/** Adds the verbs. */
export function register(group: Command): void {
  verb(group, "export <vault> <agent> <file>", {
    says: "Writes an agent with its snapshots and its retained history to one checksummed file.",
    example: "planaria vault export ./data counter counter.planaria --at clean",
  })
    .option("--at <point>", "as it was: a label, seq:17, time:2026-11-21T10:00:00Z, -10m")
    .option("--no-history", "leave out its past, for one that cannot be read")
    .action(async (path: string, agent: string, file: string, { at, history, ...options }: ExportVerbOptions) =>
      run(options, async (on) => exportAgent({ path, agent, file, at, history }, on)),
    );
  verb(group, "import <file> <vault>", {
    says: "Makes an agent of an exported file; in a new vault if there is none yet.",
    example: "planaria vault import counter.planaria ./data --as counter-before",
  })
    .option("--as <name>", "the name it gets; default: the one it was exported under")
    .action(async (file: string, path: string, options: VerbOptions & { readonly as?: string }) =>
      run(options, async (on) => importAgent({ file, path, name: options.as }, on)),
    );
}

interface ExportVerbOptions extends VerbOptions {
  readonly at?: string;
  readonly history: boolean;
}

interface Exporting {
  readonly path: string;
  readonly agent: string;
  readonly file: string;
  readonly at: string | undefined;
  readonly history: boolean;
}

async function exportAgent(
  { path, agent, file, at, history }: Exporting,
  { signal, progress, say }: VerbContext,
): Promise<void> {
  await requireReplaceable(file);
  const point = await typedAt(at);
  await withVault(path, async (vault) => {
    const report = await vault.maintenance.exportBranch(agentOf(vault, agent), file, {
      ...point,
      history,
      signal,
      onProgress: ({ bytes }) => progress.tell(() => `exporting: ${bytesText(bytes)}`),
    });
    say(report, () => {
      const what = `${report.entries} keys, ${report.snapshots} snapshots, ${report.frames} entries of history`;
      return `exported ${agent} as of entry ${report.seq} to ${file}: ${what}, ${bytesText(report.bytes)}\n`;
    });
  });
}

/** What every export begins with: see docs/FORMAT.md. */
const EXPORT_MAGIC = "PLNR-EXP";

/**
 * The export gets its name by a rename, which replaces whatever is there: a note, a vault's own page file, a device node.
 * Only an earlier export may be replaced.
 */
async function requireReplaceable(file: string): Promise<void> {
  const found = await lstat(file).catch(() => undefined);
  if (found === undefined) return; // Also where it cannot be looked at: writing will say why.
  if (found.isFile() && (await beginsAsExport(file))) return;
  throw new Misused(`${file} exists and is no export of an agent; it is left as it is: choose another name`);
}

async function beginsAsExport(file: string): Promise<boolean> {
  await using handle = await open(file, "r");
  const head = Buffer.alloc(EXPORT_MAGIC.length);
  const { bytesRead } = await handle.read(head, 0, head.length, 0);
  return head.toString("latin1", 0, bytesRead) === EXPORT_MAGIC;
}

interface Importing {
  readonly path: string;
  readonly file: string;
  readonly name: string | undefined;
}

async function importAgent({ path, file, name }: Importing, { signal, progress, say }: VerbContext): Promise<void> {
  const work = async (vault: Vault): Promise<void> => {
    const report = await vault.maintenance.importBranch(file, {
      ...(name === undefined ? {} : { name }),
      signal,
      onProgress: ({ frames, framesTotal }) =>
        progress.tell(() => `importing: ${share(frames, framesTotal, "entries")}`),
    });
    say(report, () => `imported ${report.name}: ${report.entries} keys, ${report.snapshots} snapshots\n`);
  };
  await withVault(path, work, { mayMake: true });
}
