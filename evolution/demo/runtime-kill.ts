/**
 * Pulls the plug on a whole runtime: a child process that keeps notes in the vault is killed at a moment that nobody
 * chose, and the vault is opened again here.
 *
 *   spawn victim --> first note --> a random while --> SIGKILL --> open the vault --> compare --> are its cells gone?
 */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { Runtime } from "../../runtime/index.ts";
import { checkNotes, nextAnswer } from "./cell-kill.ts";
import type { Confession } from "./confession.ts";
import { confessionOf } from "./confession.ts";
import type { Ledger } from "./ledger.ts";
import { refLibrarian } from "./librarian.ts";
import { gone } from "./processes.ts";
import type { RuntimeKill } from "./result.ts";
import { victimFile } from "./victim.ts";
import type { Patience } from "./waiting.ts";
import { pause, until } from "./waiting.ts";

/** The victim lives this long after its first note, in ms: long enough to be in the middle of its work. */
const ALIVE_MS = { min: 400, max: 1_200 } as const;
/** It must begin to work within this time, in ms. */
const BEGIN_WITHIN_MS = 10_000;
/** Its cells must be gone within this time, in ms. */
const GONE_WITHIN_MS = 5_000;

/** What is found when the vault is open again. */
export interface Aftermath {
  readonly kill: RuntimeKill;
  /** Verdicts that the librarian remembers. */
  readonly verdicts: number;
}

/** Runs and kills a runtime on this vault, opens it again and checks every note of the ledger and of the victim. */
export async function killRuntime(
  patience: Patience,
  options: { readonly vault: string; readonly ledger: Ledger },
): Promise<Aftermath> {
  const { clock } = patience;
  const { pid, aliveMs, confession } = await runAndKill(patience, options.vault);
  const killedMs = clock.monotonicMs();
  const cellsGone = gone(patience, confession.cells, GONE_WITHIN_MS).then((survivors) => ({
    survivors,
    ms: clock.monotonicMs() - killedMs,
  }));
  const openingMs = clock.monotonicMs();
  await using runtime = await Runtime.open({ vault: options.vault });
  const reopenMs = clock.monotonicMs() - openingMs;
  const librarian = refLibrarian(runtime);
  await nextAnswer(librarian);
  const nextAnswerMs = clock.monotonicMs() - openingMs;
  const notes = await checkNotes(librarian, new Map([...options.ledger, ...confession.notes]));
  const { survivors, ms: cellsGoneMs } = await cellsGone;
  return {
    kill: {
      pid,
      aliveMs,
      acknowledged: confession.notes.size,
      cells: confession.cells.length,
      cellsSurviving: survivors.length,
      cellsGoneMs,
      reopenMs,
      nextAnswerMs,
      notes,
    },
    verdicts: (await librarian.call("verdicts")).length,
  };
}

/** Lets a victim work for a while and kills it. */
async function runAndKill(
  patience: Patience,
  vault: string,
): Promise<{ readonly pid: number; readonly aliveMs: number; readonly confession: Confession }> {
  const startedMs = patience.clock.monotonicMs();
  const victim = spawn(process.execPath, [victimFile, vault], { stdio: ["ignore", "pipe", "pipe"] });
  const closed = once(victim, "close");
  const output = collect(victim);
  try {
    const hasBegun = (): boolean => output.text.includes('"note"');
    await until(patience, {
      everyMs: 5,
      limitMs: BEGIN_WITHIN_MS,
      isTrue: () => hasBegun() || victim.exitCode !== null,
    });
    if (!hasBegun()) throw new Error(`the process that was to be killed did not begin: ${output.errors}`);
    await pause(patience, randomInt(ALIVE_MS.min, ALIVE_MS.max));
  } finally {
    victim.kill("SIGKILL");
    await closed;
  }
  if (victim.signalCode !== "SIGKILL")
    throw new Error(`the process that was to be killed ended by itself: ${output.errors}`);
  const aliveMs = patience.clock.monotonicMs() - startedMs;
  return { pid: victim.pid ?? 0, aliveMs, confession: confessionOf(output.text) };
}

/** Gathers what a process prints; complete once it has closed. */
function collect(child: ChildProcess): { readonly text: string; readonly errors: string } {
  const output = { text: "", errors: "" };
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => void (output.text += chunk));
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => void (output.errors += chunk));
  return output;
}
