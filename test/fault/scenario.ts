/**
 * What a vault goes through in a fault test: every kind of work there is, one line each. A new operation of the vault is
 * added to `works`, and all suites meet it.
 */
import { VaultError } from "../../vault/index.ts";
import type { VaultErrorCode } from "../../vault/index.ts";
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
  { name: "collect", weight: 2, run: async (actor) => void (await actor.vault.maintenance.collect()) },
  { name: "backup", weight: 2, run: async (actor) => actor.backup() },
  { name: "export", weight: 1, run: async (actor) => actor.export() },
];

const lot: readonly Work[] = works.flatMap((work) => Array.from({ length: work.weight }, () => work));

/** Work that runs beside what follows it, until the scenario ends. */
const BACKGROUND: readonly string[] = ["checkpoint", "collect", "backup"];

/**
 * Does `count` pieces of work chosen by chance, each kind once when there is room for all. An error of the vault ends it
 * early and is returned, unless the scenario goes on after it.
 */
export async function runScenario(
  actor: Actor,
  count: number,
  { goesOnAfter = [] }: { readonly goesOnAfter?: readonly VaultErrorCode[] } = {},
): Promise<VaultError | undefined> {
  const background: Promise<void>[] = [];
  const failures: VaultError[] = [];
  const attempt = async (work: Work | undefined): Promise<void> => {
    try {
      await work?.run(actor);
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      if (!goesOnAfter.includes(error.code)) failures.push(error);
    }
  };
  for (let no = 0; no < count && failures.length === 0; no++) {
    // What a failure took back is in the ledger a turn later.
    if (goesOnAfter.length > 0) await new Promise((resolve) => setImmediate(resolve));
    const work = no < works.length ? works[no] : actor.chance.of(lot);
    // Every second time nobody waits for it: it runs beside the work that follows.
    if (BACKGROUND.includes(work?.name ?? "") && actor.chance.oneIn(2)) background.push(attempt(work));
    else await attempt(work);
  }
  await actor.ledger.settled();
  await Promise.all(background);
  return failures[0];
}
