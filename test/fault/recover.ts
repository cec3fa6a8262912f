/**
 * Opens what an end has left and compares it with the ledger: the present in full, and one point of the past.
 */
import { Vault, VaultError, restoreVault } from "../../vault/index.ts";
import type { BranchId, LogFiles } from "../../vault/index.ts";
import type { Chance } from "../support/chance.ts";
import { judge } from "../support/ledger.ts";
import type { End, Judgement, Moment } from "../support/ledger.ts";
import { vaultOptions } from "../support/temp-vault.ts";
import { digestOf } from "../support/vault-model.ts";

/** Small enough that a scenario fills a dozen segments. */
export const SEGMENT_BYTES: number = 8 * 1024;
/** Log behind the checkpoint: segments are let go and used again within a scenario. */
export const RETAIN_BYTES: number = 3 * SEGMENT_BYTES;

/** Options of all vaults in fault tests. */
export function faultVault(path: string, overrides: Partial<Parameters<typeof Vault.open>[0]> = {}) {
  const sizes = { segmentBytes: SEGMENT_BYTES, retainBytes: RETAIN_BYTES, checkpointBytes: 6 * SEGMENT_BYTES };
  return vaultOptions(path, { ...sizes, ...overrides });
}

/** What is to be opened. */
export interface Remains {
  readonly path: string;
  readonly files?: LogFiles;
  readonly moment: Moment;
  readonly end: End;
  readonly chance: Chance;
}

/** Recovers a vault and judges it. A refusal to open is wrong as well: nothing here is damage. */
export async function recover({ path, files, moment, end, chance }: Remains): Promise<Judgement> {
  let vault: Vault;
  try {
    vault = await Vault.open(faultVault(path, files === undefined ? {} : { files }));
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
    return { wrong: `it does not open: ${error.code}: ${error.message}` };
  }
  try {
    const judgement = await judge(vault, moment, end);
    if ("wrong" in judgement) return judgement;
    const wrong = await pastIsWrong(vault, moment, chance);
    return wrong === undefined ? judgement : { wrong };
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
    return { wrong: `it opens but cannot be read: ${error.code}: ${error.message}` };
  } finally {
    await vault.close();
  }
}

/** Restores the backup in `from` to `to` and judges it: nothing that a finished backup had is missing. */
export async function restored({ from, to, moment }: { from: string; to: string; moment: Moment }): Promise<Judgement> {
  try {
    await restoreVault({ from, vault: faultVault(to) });
    await using vault = await Vault.open(faultVault(to));
    return await judge(vault, moment, "backup");
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
    return { wrong: `${error.code}: ${error.message}` };
  }
}

/** Reads one branch as it was at one seq, when the log still reaches it. */
async function pastIsWrong(vault: Vault, { states }: Moment, chance: Chance): Promise<string | undefined> {
  const { seq: lastSeq } = vault.stats();
  const past = states.filter(({ seq }) => seq > 0 && seq <= lastSeq);
  if (past.length === 0) return undefined;
  const { seq, model } = chance.of(past);
  if (model.branches.size === 0) return undefined;
  const [id, { content }] = chance.of([...model.branches]);
  const branch = vault.branch(id as BranchId); // The model has its numbers from the vault.
  if (branch === undefined) return undefined; // dropped since
  try {
    const view = await branch.at({ seq });
    const found = [...view.range()].map(([key, value]) => `${key}=${digestOf(value)}`);
    const expected = [...content].map(([key, digest]) => `${key}=${digest}`);
    if (found.toSorted().join() === expected.toSorted().join()) return undefined;
    return `branch ${id} at ${seq} shows\n  ${found.join(" ")}\nwhere it held\n  ${expected.join(" ")}`;
  } catch (error) {
    if (error instanceof VaultError && error.code === "VAULT_POINT_EXPIRED") return undefined;
    throw error;
  }
}
