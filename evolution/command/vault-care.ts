/** `planaria vault compact`: what keeps a vault small. */
import type { Command } from "commander";
import { bytesText, share } from "./vault-progress.ts";
import { loadVault, requireVault, run, settingsFor, verb } from "./vault-verb.ts";
import type { VerbContext, VerbOptions } from "./vault-verb.ts";

/** Adds the verbs. */
export function register(group: Command): void {
  verb(group, "compact <vault>", {
    says: "Collects what nobody needs and writes the page file anew without it. No program may have the vault open.",
    example: "planaria vault compact ./data",
  }).action(async (path: string, options: VerbOptions) => run(options, async (on) => compact(path, on)));
}

async function compact(path: string, { signal, progress, say }: VerbContext): Promise<void> {
  requireVault(path);
  const { compactVault } = await loadVault();
  const report = await compactVault({
    vault: await settingsFor(path),
    signal,
    onProgress: ({ pages, pagesTotal }) => progress.tell(() => `copying: ${share(pages, pagesTotal, "pages")}`),
  });
  const { bytesBefore, bytesAfter, pagesBefore, pages } = report;
  say(report, () => `${bytesText(bytesBefore)} -> ${bytesText(bytesAfter)}, ${pagesBefore} -> ${pages} pages\n`);
}
