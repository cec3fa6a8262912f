/**
 * Errors of the disk: the n-th operation on the log's files fails, for every n.
 *
 *     ENOSPC at n and for some operations after it    refused or undone, reads go on, works again when there is space
 *     EIO at n                                        may end the vault; a sync that failed is never asked again
 *     a short write at n                              nobody notices
 *
 * Invariants: (1) what was acknowledged is there after a reopening; (2) what was undone left no trace, what failed is there
 * whole or not at all; (3) nothing takes longer than five seconds; (4) every error is a VaultError with a code.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { Vault, VaultError, systemFiles } from "../../vault/index.ts";
import { Chance } from "../support/chance.ts";
import { FailingFiles } from "../support/failing-files.ts";
import type { PlannedFault } from "../support/failing-files.ts";
import { Ledger } from "../support/ledger.ts";
import { lyingFiles } from "../support/lying-files.ts";
import { textOf, textOfVault } from "../support/vault-model.ts";
import { Actor } from "./actor.ts";
import { faultVault, recover } from "./recover.ts";
import { runScenario } from "./scenario.ts";
import { inFolder, runRounds } from "./subject.ts";
import type { FaultOptions, Outcome, Subject } from "./subject.ts";

const WORK = 16;
/** The disk stays full for so many operations, or until the work is over. */
const FULL_FOR: readonly number[] = [1, 4, 1000];
const LIMIT_MS = 5000;
/** For a planted hang nobody has to wait that long. */
const LIED_LIMIT_MS = 500;

type Kind = "ENOSPC" | "EIO" | "short";

const kinds: readonly Kind[] = ["ENOSPC", "EIO", "short"];

interface Case {
  readonly path: string;
  readonly kind: Kind;
  readonly no: number;
  readonly fullFor: number;
  readonly round: number;
}

/** See the header. A fault is one operation that fails in one way. */
export const errors: Subject = async (options) =>
  runRounds(options, async (round, outcome) =>
    inFolder(async (folder) => {
      const before = outcome.violations.length;
      for (const kind of kinds) {
        // A scenario has as many operations as it has: each n is tried until one lies behind its end.
        for (let no = 1, isReached = true; isReached && outcome.violations.length === before; no++) {
          const one = { path: join(folder, `${kind}-${no}`), kind, no, fullFor: FULL_FOR[no % 3] ?? 1, round };
          const limitMs = options.lie === undefined ? LIMIT_MS : LIED_LIMIT_MS;
          isReached = await withinLimit(tryOne(one, options, outcome), limitMs, () => {
            outcome.violations.push({ round, what: `${kind} at operation ${no}: no answer in ${limitMs} ms` });
            return false;
          });
          rmSync(one.path, { recursive: true, force: true });
          if (isReached) outcome.faults++;
          if (isReached) outcome.note(kind);
        }
      }
    }),
  );

/** One scenario with one fault. Whether the scenario came as far as the fault. */
async function tryOne(one: Case, options: FaultOptions, outcome: Outcome): Promise<boolean> {
  const chance = new Chance(options.seed, one.round);
  const ledger = new Ledger();
  const files = new FailingFiles(systemFiles);
  files.plan = planOf(one);
  const wrong = (what: string) =>
    void outcome.violations.push({ round: one.round, what: `${one.kind} at operation ${one.no}: ${what}` });
  const used = options.lie === undefined ? files : lyingFiles(files, options.lie);
  try {
    const vault = await Vault.open(faultVault(one.path, { files: used }));
    const error = await runScenario(new Actor({ vault, ledger, chance }), WORK, {
      goesOnAfter: ["VAULT_COMMIT_FAILED"],
    });
    files.plan = () => undefined;
    if (one.kind !== "EIO") await worksAgain(vault, ledger, error, wrong);
    await vault.close();
  } catch (error) {
    if (!(error instanceof VaultError))
      wrong(`not a VaultError: ${error instanceof Error ? error.stack : String(error)}`);
  }
  files.plan = () => undefined;
  const retried = retriedSync(files);
  if (retried !== undefined) wrong(`a sync of ${retried} failed and was asked again`);
  const judgement = await recover({ path: one.path, moment: ledger.moment(), end: "kill", chance });
  if ("wrong" in judgement) wrong(judgement.wrong);
  return files.asked.length >= one.no;
}

function planOf({ kind, no, fullFor }: Case): FailingFiles["plan"] {
  return (at, operation): PlannedFault => {
    if (kind === "EIO") return at === no ? { code: "EIO" } : undefined;
    if (kind === "short") return at >= no && operation === "write" && at < no + 3 ? { takes: 100 } : undefined;
    // A full disk has room for what needs none.
    const needsRoom = operation === "write" || operation === "create" || operation === "rename";
    return at >= no && at < no + fullFor && needsRoom ? { code: "ENOSPC" } : undefined;
  };
}

/** After a full disk and after short writes: what is readable is the ledger's, and new commits are taken and kept. */
async function worksAgain(
  vault: Vault,
  ledger: Ledger,
  error: VaultError | undefined,
  wrong: (what: string) => void,
): Promise<void> {
  if (error !== undefined) return wrong(`the vault did not go on: ${error.code}: ${error.message}`);
  await ledger.settled();
  if ((await textOfVault(vault)) !== textOf(ledger.model))
    wrong("something undone can be read, or something kept cannot");
  const actor = new Actor({ vault, ledger, chance: new Chance(1), levels: ["disk"] });
  const failures = [...ledger.failures.values()].reduce((sum, count) => sum + count, 0);
  actor.create();
  await ledger.settled();
  await vault.checkpoint();
  const after = [...ledger.failures.values()].reduce((sum, count) => sum + count, 0);
  if (after > failures) wrong("a commit is refused although there is space again");
}

/** The path whose sync failed and was asked again without the file having been made anew. */
function retriedSync({ asked }: FailingFiles): string | undefined {
  const failed = new Set<string>();
  for (const { operation, path, failed: code } of asked) {
    if (operation === "create") failed.delete(path);
    if (operation !== "sync") continue;
    if (failed.has(path)) return path;
    if (code !== undefined) failed.add(path);
  }
  return undefined;
}

async function withinLimit<T>(work: Promise<T>, limitMs: number, late: () => T): Promise<T> {
  const limit = Promise.withResolvers<T>();
  const timer = setTimeout(() => limit.resolve(late()), limitMs);
  try {
    return await Promise.race([work, limit.promise]);
  } finally {
    clearTimeout(timer);
  }
}
