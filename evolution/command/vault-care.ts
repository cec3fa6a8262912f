/** `planaria vault check | compact`: what keeps a vault sound, and small. */
import type { Command } from "commander";
import type { CheckReport, Vault } from "../../vault/index.ts";
import { exitCode } from "./exit-code.ts";
import { bytesText, counted, share } from "./vault-progress.ts";
import { Misused, loadVault, requireBackup, requireVault, run, settingsFor, verb, withVault } from "./vault-verb.ts";
import type { VerbContext, VerbOptions } from "./vault-verb.ts";

/** Adds the verbs. */
export function register(group: Command): void {
  verb(group, "check <vault>", {
    says: "Reads everything a vault has on the disk and names what is damaged; exit code 1 when something is.",
    example: "planaria vault check ./data --repair --backup /mnt/backup/planaria",
  })
    .option("--repair", "mend what a backup, an older state or the log allow")
    .option("--backup <folder>", "where sound copies of pages may be")
    .option("--accept-loss <seq>", "give up this entry of a damaged log and all later ones")
    .action(async (path: string, options: CheckVerbOptions) => run(options, async (on) => check(path, options, on)));
  verb(group, "compact <vault>", {
    says: "Collects what nobody needs and writes the page file anew without it. No program may have the vault open.",
    example: "planaria vault compact ./data",
  }).action(async (path: string, options: VerbOptions) => run(options, async (on) => compact(path, on)));
}

interface CheckVerbOptions extends VerbOptions {
  readonly repair?: true;
  readonly backup?: string;
  readonly acceptLoss?: string;
}

async function check(path: string, options: CheckVerbOptions, { signal, progress, say }: VerbContext): Promise<void> {
  await requireVault(path);
  if (options.backup !== undefined) requireBackup(options.backup);
  const { BackupReader } = await loadVault();
  using backup = options.backup === undefined ? undefined : await BackupReader.open(options.backup);
  const work = async (vault: Vault): Promise<void> => {
    if (backup !== undefined && backup.manifest.uuid !== vault.uuid)
      throw new Misused(`${backup.path} is the backup of another vault`);
    const report = await vault.maintenance.check({
      repair: options.repair === true,
      ...(backup === undefined ? {} : { backup }),
      signal,
      onProgress: ({ done, total }) => progress.tell(() => `checking: ${share(done, total, "pages")}`),
    });
    if (!report.isSound) process.exitCode = exitCode.failed;
    say(report, () => reportText(report));
  };
  await withVault(path, work, options.acceptLoss === undefined ? {} : { acceptLoss: seqOf(options.acceptLoss) });
}

function seqOf(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new Misused(`--accept-loss takes the number of an entry, not ${text}`);
}

function reportText({ isSound, pages, bytes, entries, damaged, repaired, problems }: CheckReport): string {
  const lines = [
    ...problems.map(({ where, message }) => `${where}: ${message}`),
    ...damaged.map((each) => `page ${each.arena}/${each.no}: ${each.reason}; ${whom(each)}`),
    ...repaired.map(({ arena, no, from }) => `page ${arena}/${no}: mended from the ${from}`),
    `${isSound ? "sound" : "DAMAGED"}: ${counted(pages, "page")} (${bytesText(bytes)}), ${counted(entries, "entry")} in the log`,
  ];
  return `${lines.join("\n")}\n`;
}

function whom({ agents, branches, keys }: CheckReport["damaged"][number]): string {
  const names = agents.length > 0 ? agents.join(", ") : `branches ${branches.join(", ")}`;
  const span =
    keys === undefined
      ? ""
      : ` in the keys from ${JSON.stringify(keys.from)} to ${keys.to === undefined ? "the end" : JSON.stringify(keys.to)}`;
  return `hurts ${names}${span}`;
}

async function compact(path: string, { signal, progress, say }: VerbContext): Promise<void> {
  await requireVault(path);
  const { compactVault } = await loadVault();
  const report = await compactVault({
    vault: await settingsFor(path),
    signal,
    onProgress: ({ pages, pagesTotal }) => progress.tell(() => `copying: ${share(pages, pagesTotal, "pages")}`),
  });
  const { bytesBefore, bytesAfter, pagesBefore, pages } = report;
  say(
    report,
    () => `${bytesText(bytesBefore)} -> ${bytesText(bytesAfter)}, ${pagesBefore} -> ${counted(pages, "page")}\n`,
  );
}
