/** `planaria vault backup | restore`: the whole vault to a folder and back, or one agent out of a backup. */
import { mkdtemp, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import type { Vault } from "../../vault/index.ts";
import { bytesText, counted, share } from "./vault-progress.ts";
import { Misused, loadVault, requireBackup, run, settingsFor, typedAt, verb, withVault } from "./vault-verb.ts";
import type { VerbContext, VerbOptions } from "./vault-verb.ts";

/** Adds the verbs. */
export function register(group: Command): void {
  verb(group, "backup <vault> <to>", {
    says: "Copies a vault that no program has open to a folder; what is there already is read again, not copied again.",
    example: "planaria vault backup ./data /mnt/backup/planaria",
  })
    .option("--quick", "do not read again what earlier backups wrote: a file that went bad since is not noticed")
    .action(async (path: string, to: string, options: BackupVerbOptions) =>
      run(options, async (on) => backUp({ path, to, verify: options.quick === true ? "new" : "all" }, on)),
    );
  verb(group, "restore <backup> [to]", {
    says: "Makes a new vault of a backup; or, with --agent, takes one agent out of it.",
    example:
      "planaria vault restore /mnt/backup/planaria ./data\n  planaria vault restore /mnt/backup/planaria --agent counter --into ./data --as counter-before --at -2h",
  })
    .option("--agent <name>", "only this agent, with its history")
    .option("--into <vault>", "the vault that takes it")
    .option("--as <name>", "the name it gets; default: its own")
    .option("--at <point>", "as it was: a label, seq:17, time:2026-11-21T10:00:00Z, -10m")
    .action(async (from: string, to: string | undefined, options: RestoreVerbOptions) =>
      run(options, async (on) => {
        if (options.agent !== undefined) return takeOut(from, { ...options, to }, on);
        requireNone(options);
        return restore(from, to, on);
      }),
    );
}

interface BackupVerbOptions extends VerbOptions {
  readonly quick?: true;
}

interface RestoreVerbOptions extends VerbOptions {
  readonly agent?: string;
  readonly into?: string;
  readonly as?: string;
  readonly at?: string;
}

/** A whole vault is restored as it was backed up: a point that was left out in silence would look as if it had been obeyed. */
function requireNone({ into, as: name, at }: RestoreVerbOptions): void {
  const given = Object.entries({ into, as: name, at }).find(([, value]) => value !== undefined);
  if (given !== undefined)
    throw new Misused(`--${given[0]} goes with --agent <name>: a backup is restored whole, as it is`);
}

interface BackingUp {
  readonly path: string;
  readonly to: string;
  readonly verify: "all" | "new";
}

async function backUp({ path, to, verify }: BackingUp, { signal, progress, say }: VerbContext): Promise<void> {
  await withVault(path, async (vault) => {
    const report = await vault.maintenance.backup(to, {
      verify,
      signal,
      onProgress: (each) =>
        progress.tell(() =>
          each.phase === "earlier"
            ? `reading earlier files: ${bytesText(each.bytes)} of ${bytesText(each.bytesTotal)}`
            : `${each.phase}: ${share(each.pages, each.pagesTotal, "pages")}`,
        ),
    });
    say(report, () => {
      const what = report.isFull ? "all pages" : `${report.pagesWritten} new pages`;
      const size = `${bytesText(report.bytesWritten)} written, ${bytesText(report.bytes)} in all`;
      const mended = report.mended.map(
        ({ name, reason }) => `mended ${name}, written by an earlier backup: ${reason}\n`,
      );
      return `${mended.join("")}backed up ${path} up to entry ${report.seq}: ${what} of ${report.pages}, ${size}\n`;
    });
  });
}

async function restore(from: string, to: string | undefined, { signal, progress, say }: VerbContext): Promise<void> {
  if (to === undefined) throw new Misused("say where to: planaria vault restore <backup> <to>");
  requireBackup(from);
  const { restoreVault } = await loadVault();
  const report = await restoreVault({
    from,
    vault: await settingsFor(to),
    signal,
    onProgress: ({ phase, done, total }) =>
      progress.tell(() => `${phase}: ${share(done, total, phase === "verify" ? "bytes" : phase)}`),
  });
  say(
    report,
    () =>
      `restored ${to} as it was at entry ${report.seq}: ${counted(report.names, "agent")}, ${counted(report.pages, "page")}\n`,
  );
}

async function takeOut(
  from: string,
  options: RestoreVerbOptions & { readonly to: string | undefined },
  { signal, progress, say }: VerbContext,
): Promise<void> {
  const { agent, into, as: name, to } = options;
  if (agent === undefined || into === undefined) throw new Misused("say which vault takes the agent: --into <vault>");
  if (to !== undefined) throw new Misused(`with --agent the vault is named by --into <vault>, not by ${to}`);
  requireBackup(from);
  const at = await typedAt(options.at);
  const { BackupView, exportFromBackup } = await loadVault();
  // Beside the vault: a temporary folder of the system may be too small for a large agent.
  const folder = await mkdtemp(`${resolve(into)}.restoring-`);
  try {
    const file = join(folder, "agent");
    using view = await BackupView.open(from);
    await exportFromBackup(view, agent, file, {
      ...at,
      signal,
      onProgress: ({ bytes }) => progress.tell(() => `reading: ${bytesText(bytes)}`),
    });
    const work = async (vault: Vault): Promise<void> => {
      const report = await vault.maintenance.importBranch(file, {
        ...(name === undefined ? {} : { name }),
        signal,
        onProgress: ({ frames, framesTotal }) =>
          progress.tell(() => `writing: ${share(frames, framesTotal, "entries")}`),
      });
      say(report, () => `restored agent ${report.name}: ${report.entries} keys, ${report.snapshots} snapshots\n`);
    };
    await withVault(into, work, { mayMake: true });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
