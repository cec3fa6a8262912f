/**
 * What a vault should hold, as plain Maps that never change: one value per moment. And a canonical text of it, which a
 * real vault can be turned into as well, so that the two compare with `===`.
 *
 * Values are known by length and checksum, keys of a content are in the vault's own order.
 */
import { crc32 } from "node:zlib";
import { VaultError } from "../../vault/index.ts";
import type { BranchId, Op, Vault, View } from "../../vault/index.ts";

/** Key to digest of the value. */
export type Content = ReadonlyMap<string, string>;

/** One branch at one moment. */
export interface BranchModel {
  readonly content: Content;
  readonly snapshots: ReadonlyMap<string, Content>;
}

/** A whole vault at one moment. */
export interface VaultModel {
  readonly branches: ReadonlyMap<number, BranchModel>;
  readonly names: ReadonlyMap<string, number>;
}

/** A step from one moment to the next. */
export type Change = (model: VaultModel) => VaultModel;

/** A vault that was just made. */
export const EMPTY_VAULT: VaultModel = { branches: new Map(), names: new Map() };

/** What a value is known by. */
export function digestOf(value: Uint8Array): string {
  return `${value.length}:${crc32(value).toString(36)}`;
}

/** The content after some puts and deletes. */
export function withOps(content: Content, ops: readonly Op[]): Content {
  const next = new Map(content);
  for (const op of ops) {
    if ("put" in op) next.set(op.put, digestOf(op.value));
    else next.delete(op.delete);
  }
  return next;
}

/** The vault with one branch made or replaced. */
export function withBranch(model: VaultModel, id: number, branch: Partial<BranchModel>): VaultModel {
  const { content = new Map(), snapshots = new Map() } = { ...model.branches.get(id), ...branch };
  return { ...model, branches: new Map(model.branches).set(id, { content, snapshots }) };
}

/** The vault with a snapshot of what `branch` holds. */
export function withSnapshot(model: VaultModel, branch: number, label: string): VaultModel {
  const { content, snapshots } = branchOf(model, branch);
  return withBranch(model, branch, { snapshots: new Map(snapshots).set(label, content) });
}

/** The vault without a branch and the names that point to it. */
export function withoutBranch(model: VaultModel, id: number): VaultModel {
  const branches = new Map(model.branches);
  branches.delete(id);
  return { branches, names: new Map([...model.names].filter(([, branch]) => branch !== id)) };
}

/** The vault with a name that points to a branch, or to none. */
export function withName(model: VaultModel, name: string, branch: number | undefined): VaultModel {
  const names = new Map(model.names);
  if (branch === undefined) names.delete(name);
  else names.set(name, branch);
  return { ...model, names };
}

/** A branch that must be there. */
export function branchOf(model: VaultModel, id: number): BranchModel {
  const branch = model.branches.get(id);
  if (branch === undefined) throw new Error(`the model has no branch ${id}`);
  return branch;
}

const texts = new WeakMap<VaultModel, string>();

/** The canonical text of a model. */
export function textOf(model: VaultModel): string {
  const known = texts.get(model);
  if (known !== undefined) return known;
  const lines = [namesLine([...model.names].toSorted(([a], [b]) => (a < b ? -1 : 1)))];
  for (const [id, { content, snapshots }] of [...model.branches].toSorted(([a], [b]) => a - b)) {
    lines.push(`${branchHead(id)} ${contentText(sorted(content))}`);
    for (const [label, past] of snapshots) lines.push(`${snapshotHead(label)} ${contentText(sorted(past))}`);
  }
  const text = lines.join("\n");
  texts.set(model, text);
  return text;
}

/** The canonical text of a real vault: everything that can be read from it, with every value looked at. */
export async function textOfVault(vault: Vault): Promise<string> {
  const { lines: text, refusals } = await linesOfVault(vault);
  if (refusals.length > 0) throw refusals[0]?.error ?? new Error("something was refused");
  return text.join("\n");
}

/** The lines of that text, without what the vault refuses to show. */
export async function linesOfVault(
  vault: Vault,
): Promise<{ readonly lines: readonly string[]; readonly refusals: readonly { readonly error: VaultError }[] }> {
  const refusals: { readonly error: VaultError }[] = [];
  const text = [namesLine(vault.names().map(({ name, branch }) => [name, branch]))];
  const add = async (head: string, view: () => Promise<View>): Promise<void> => {
    try {
      text.push(`${head} ${contentText(contentOf(await view()))}`);
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      refusals.push({ error });
    }
  };
  const { branches: count } = vault.stats();
  for (let id = 0, found = 0; found < count; id++) {
    // Any number may be asked for; those that are no branch's answer undefined.
    const branch = vault.branch(id as BranchId);
    if (branch === undefined && id > BRANCH_ID_MAX)
      throw new Error(`${count} branches are said to be there, not found`);
    if (branch === undefined) continue;
    found++;
    await add(branchHead(id), async () => branch);
    for (const { label } of branch.snapshots()) await add(snapshotHead(label), async () => branch.at({ label }));
  }
  return { lines: text, refusals };
}

const BRANCH_ID_MAX = 1_000_000;

function contentOf(view: View): Content {
  return new Map([...view.range()].map(([key, value]) => [key, digestOf(value)]));
}

function sorted(content: Content): Content {
  return new Map([...content].toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
}

function namesLine(names: readonly (readonly [string, number])[]): string {
  return `names ${names.map((pair) => pair.join("=")).join(" ")}`;
}

function branchHead(id: number): string {
  return `branch ${id}`;
}

function snapshotHead(label: string): string {
  return `  ${label}`;
}

function contentText(content: Content): string {
  return [...content].map(([key, digest]) => `${key}=${digest}`).join(" ");
}
