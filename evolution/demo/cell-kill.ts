/**
 * Pulls the plug on the cell that the librarian lives in, while the client is asking.
 */
import type { LedgerCheck } from "./ledger.ts";
import { checkLedger, readNotes } from "./ledger.ts";
import type { Ledger } from "./ledger.ts";
import type { Librarian } from "./librarian.ts";
import type { CellKill } from "./result.ts";
import type { StageSet } from "./stage-set.ts";
import { reportOf } from "./tally.ts";
import { pause } from "./waiting.ts";

/** How long the client's figures are taken after the kill, in ms. */
const AFTERMATH_MS = 1_500;
/** Tries until an answer: a request that the dying cell was working on is refused, the next one is not. */
const TRIES = 5;

/** SIGKILL to the librarian's cell; measures until the next answer, then looks for what is missing. */
export async function killCell(set: StageSet): Promise<CellKill> {
  const { librarian, client, clock, ledger } = set;
  const { cellPid: pid } = await librarian.info();
  if (pid === undefined) throw new Error("the librarian is in no cell");
  const phase = client.enter("cell killed");
  const killedMs = clock.monotonicMs();
  process.kill(pid, "SIGKILL");
  await nextAnswer(librarian);
  const nextAnswerMs = clock.monotonicMs() - killedMs;
  await pause(set, AFTERMATH_MS);
  client.enter("after the cell");
  await client.settled(phase);
  const notes = await checkNotes(librarian, ledger);
  const { cellPid: newPid = 0 } = await librarian.info();
  return { pid, newPid, nextAnswerMs, meanwhile: reportOf("cell killed", [phase]), notes };
}

/** Resolves with the number of notes in the first answer that comes. */
export async function nextAnswer(librarian: Librarian): Promise<number> {
  for (let tries = 1; ; tries++) {
    try {
      return await librarian.call("count");
    } catch (error) {
      if (tries === TRIES) throw error;
    }
  }
}

/** Reads every note of the librarian and compares them with what it has acknowledged so far. */
export async function checkNotes(librarian: Librarian, ledger: Ledger): Promise<LedgerCheck> {
  const acknowledged = new Map(ledger); // those acknowledged while we read are for the next check
  const count = await librarian.call("count");
  const notes = await readNotes(count, (span) => librarian.call("page", span));
  return checkLedger(acknowledged, notes);
}
