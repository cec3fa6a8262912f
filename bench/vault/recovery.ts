/**
 * Recovery: a Guardian is killed with a full window of log behind its last checkpoint, and the vault is opened again.
 * Every write that the Guardian had acknowledged must be there, or there is no figure.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Vault } from "../../vault/index.ts";
import type { Findings, Tools } from "../suite.ts";
import { barBelowMs, duration } from "../suite.ts";
import { labOptions, onlyWhenAsked, VaultLab, windowText } from "./lab.ts";

const OPEN_LIMIT = { bar: 100, aim: 50 };
const WRITER = join(import.meta.dirname, "window-writer.ts");

/** Kills and openings, on one folder whose vault grows from round to round. */
export async function measureRecovery(tools: Tools): Promise<Findings> {
  const rounds = tools.isQuick ? 4 : 12;
  tools.progress(`${rounds} × kill -9 with ${windowText} behind the checkpoint`);
  await using lab = await VaultLab.empty();
  const wallMs: number[] = [];
  const reportedMs: number[] = [];
  let entries = 0;
  for (let round = 0; round < rounds; round++) {
    const written = await writeAndKill(lab.vaultPath);
    const started = performance.now();
    // Without a checkpoint that begins at once: opening ends when the vault serves.
    await using vault = await Vault.open(labOptions(lab.vaultPath, onlyWhenAsked));
    wallMs.push(performance.now() - started);
    reportedMs.push(vault.recovery.durationMs);
    entries = vault.recovery.entries;
    assert.equal(entries, written, "every acknowledged entry is replayed");
  }
  const wall = duration(`kill -9 with ${windowText} behind the checkpoint -> vault open`, wallMs);
  return {
    figures: [wall, duration("  (as the vault itself reports it)", reportedMs)],
    ratios: [],
    bars: [barBelowMs(wall, OPEN_LIMIT)],
    notes: [`recovery: ${entries.toLocaleString("en")} entries of 300 bytes replayed each time, none lost`],
  };
}

/** Runs a Guardian until its window is full, kills it, and returns how many entries it had acknowledged. */
async function writeAndKill(path: string): Promise<number> {
  const child = spawn(process.execPath, [WRITER, path], { stdio: ["pipe", "pipe", "inherit"] });
  const closed = once(child, "close");
  try {
    let said = "";
    for await (const chunk of child.stdout) {
      said += String(chunk);
      if (said.endsWith("\n")) break;
    }
    const entries = Number(said);
    assert.ok(entries > 0, `the Guardian acknowledged ${JSON.stringify(said)}`);
    return entries;
  } finally {
    child.kill("SIGKILL");
    await closed;
  }
}
