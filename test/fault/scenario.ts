/**
 * What a vault goes through in a fault test: every kind of work there is, one line each. A new operation of the vault is
 * added to `works`, and all suites meet it.
 */
import { VaultError } from "../../vault/index.ts";
import type { Actor } from "./actor.ts";

/** One kind of work, and how often it is picked. */
interface Work {
  readonly name: string;
  readonly weight: number;
  readonly run: (actor: Actor) => void | Promise<void>;
}

/** Every operation of the vault that changes something. */
export const works: readonly Work[] = [
  { name: "create", weight: 2, run: (actor) => actor.create() },
  { name: "write", weight: 12, run: (actor) => actor.write() },
  { name: "write many", weight: 3, run: (actor) => actor.writeMany() },
  { name: "fork", weight: 3, run: (actor) => actor.fork() },
  { name: "snapshot", weight: 3, run: (actor) => actor.snapshot() },
  { name: "restore", weight: 2, run: async (actor) => actor.restore() },
  { name: "drop", weight: 2, run: (actor) => actor.drop() },
  { name: "settle", weight: 4, run: async (actor) => actor.ledger.settled() },
  { name: "checkpoint", weight: 3, run: async (actor) => actor.vault.checkpoint() },
];

const lot: readonly Work[] = works.flatMap((work) => Array.from({ length: work.weight }, () => work));

/** Work that runs beside what follows it, until the scenario ends. */
const BACKGROUND: readonly string[] = ["checkpoint", "collect", "scrub", "backup", "export"];

/**
 * Does `count` pieces of work chosen by chance, each kind at least once when there is room for all. Errors of the vault end
 * it early and are returned, unless the vault is told to be unable to go on.
 */
export async function runScenario(actor: Actor, count: number): Promise<VaultError | undefined> {
  const background: Promise<unknown>[] = [];
  try {
    for (let no = 0; no < count; no++) {
      const work = no < works.length ? works[no] : actor.chance.of(lot);
      const done = work?.run(actor);
      if (done === undefined) continue;
      // Every second time somebody waits for it; else it runs beside the work that follows.
      if (BACKGROUND.includes(work?.name ?? "") && actor.chance.oneIn(2)) background.push(done);
      else await done;
      for (const each of background) each.catch(() => undefined); // looked at below
    }
    await actor.ledger.settled();
    await Promise.all(background);
    return undefined;
  } catch (error) {
    if (error instanceof VaultError) return error;
    throw error;
  } finally {
    await Promise.allSettled(background);
  }
}
