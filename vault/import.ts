/**
 * Importing an agent: a new branch on which everything is done again that the exported file tells, and then, in one commit,
 * its name.
 *
 *     verify the whole file --> branch ~import/<n> --> commit, commit, snapshot, ... --> compare content --> name
 *
 * Invariants:
 * 1. Nothing is written before the whole file was found sound.
 * 2. Until the last commit there is no agent of the name. What an import that ended half-way leaves behind is a branch under
 *    a name of its own, which the next import takes away.
 * 3. Memory is bounded: commits wait for the log, and for checkpoints.
 */
import { ContentHash, EXPORTED_BRANCH, exportDamaged, readExport, verifyExport } from "./export-file.ts";
import type { VerifiedExport } from "./export-file.ts";
import { VaultError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import { IMPORT_PREFIX, isImportName } from "./import-name.ts";
import type { MaintenanceContext } from "./maintenance.ts";
import type { Action, Branch, BranchId } from "./model.ts";
import { readRecords } from "./record.ts";
import type { LogRecord } from "./record.ts";
import { Slices } from "./slices.ts";
import type { Vault } from "./vault.ts";

/** How an import is asked for. */
export interface ImportOptions {
  /** The new agent's name; default: the one it was exported under. */
  readonly name?: string;
  readonly onProgress?: (progress: { readonly frames: number; readonly framesTotal: number }) => void;
  /** Ends it; no agent is made. */
  readonly signal?: AbortSignal;
}

/** What was imported. */
export interface ImportReport {
  readonly name: string;
  readonly branch: BranchId;
  /** The vault it comes from, and where it stood there. */
  readonly from: { readonly uuid: string; readonly seq: number };
  readonly entries: number;
  readonly snapshots: number;
}

/** Bytes of frames between two looks at what waits for the disk. */
const STRETCH_BYTES: number = 8 * 1024 * 1024;
/** Tables beyond this are folded into pages before more is taken. */
const MEMTABLE_BYTES_MAX: number = 64 * 1024 * 1024;

/** Imports that run, by their names: what is no one's is left over. */
const running = new WeakMap<Vault, Set<string>>();

/** See the header, and `Maintenance.importBranch` for the codes. */
export async function importState(on: MaintenanceContext, path: string, options: ImportOptions): Promise<ImportReport> {
  const signal = options.signal === undefined ? on.closing : AbortSignal.any([options.signal, on.closing]);
  const verified = await verifyExport(path, signal);
  const name = options.name ?? (await nameIn(verified));
  requireOrdinary(name);
  requireFree(on.vault, name);
  const names = running.get(on.vault) ?? new Set<string>();
  running.set(on.vault, names);
  dropLeftovers(on.vault, names);
  const part = `${IMPORT_PREFIX}${on.vault.stats().seq + 1}`;
  names.add(part);
  try {
    return await new ImportJob(on.vault, verified, { ...options, name, part, signal }).run();
  } finally {
    names.delete(part);
  }
}

interface ImportJobOptions extends ImportOptions {
  readonly name: string;
  readonly part: string;
  readonly signal: AbortSignal;
}

class ImportJob {
  readonly #vault: Vault;
  readonly #verified: VerifiedExport;
  readonly #options: ImportJobOptions;
  readonly #slices: Slices;
  readonly #branch: Branch;
  #snapshots = 0;
  #stretchBytes = 0;

  constructor(vault: Vault, verified: VerifiedExport, options: ImportJobOptions) {
    this.#vault = vault;
    this.#verified = verified;
    this.#options = options;
    this.#slices = new Slices({ signal: options.signal });
    // Nobody waits for the commits before the last one: that one is durable only with all of them.
    this.#branch = vault.create({ name: options.part, durability: "memory" }).branch;
  }

  async run(): Promise<ImportReport> {
    const { name, part } = this.#options;
    const { id } = this.#branch;
    try {
      let frames = 0;
      for await (const frame of readExport(this.#verified)) {
        this.#apply(frame);
        this.#options.onProgress?.({ frames: ++frames, framesTotal: this.#verified.frames });
        await this.#keepUp(frame.bytes);
      }
      const entries = await this.#compare();
      const end = this.#vault.commit(
        [
          { type: "name", name: part, branch: undefined, expect: id },
          { type: "name", name, branch: id, expect: undefined },
        ],
        { durability: "disk" },
      );
      await end.durable;
      const { uuid, seq } = this.#verified;
      return { name, branch: id, from: { uuid, seq }, entries, snapshots: this.#snapshots };
    } catch (error) {
      drop(this.#vault, part, id);
      throw error;
    }
  }

  #apply({ body, note }: Frame): void {
    const actions = recordsIn(this.#verified, body).flatMap((record) => this.#actionOf(record));
    if (actions.length === 0) return;
    this.#vault.commit(actions, { durability: "memory", ...(note === undefined ? {} : { note }) });
  }

  #actionOf(record: LogRecord): Action | [] {
    const branch = this.#branch.id;
    if (record.branch !== EXPORTED_BRANCH) throw exportDamaged(this.#verified.path, "it tells of several branches");
    switch (record.type) {
      case "write": {
        const origin = record.origin === undefined ? {} : { origin: record.origin };
        return { type: "write", branch, ops: record.ops, ...origin };
      }
      case "snapshot":
        this.#snapshots++;
        return { type: "snapshot", branch, label: record.label };
      case "name":
        return [];
      case "create":
      case "fork":
      case "restore":
      case "drop":
      case "forget":
        throw exportDamaged(this.#verified.path, `a record of kind ${record.type} does not belong in it`);
    }
  }

  /** Invariant 3. */
  async #keepUp(bytes: number): Promise<void> {
    await this.#slices.pause();
    this.#stretchBytes += bytes;
    if (this.#stretchBytes < STRETCH_BYTES) return;
    this.#stretchBytes = 0;
    await this.#vault.barrier();
    if (this.#vault.stats().memtableBytes > MEMTABLE_BYTES_MAX) await this.#vault.checkpoint();
  }

  /** Whether the branch holds what was exported; returns how many entries. */
  async #compare(): Promise<number> {
    const hash = new ContentHash();
    let entries = 0;
    for (const [key, value] of this.#branch.range()) {
      hash.add(key, value);
      entries++;
      await this.#slices.pause();
    }
    if (hash.digest().equals(this.#verified.contentSha256)) return entries;
    throw exportDamaged(this.#verified.path, "what it tells does not end in the state it was made of");
  }
}

/** The file's own sums vouch for its bytes, not for whoever wrote them. */
function recordsIn({ path }: VerifiedExport, body: Uint8Array): readonly LogRecord[] {
  try {
    return readRecords(body);
  } catch (cause) {
    throw exportDamaged(path, "a record in it cannot be read", cause);
  }
}

async function nameIn(verified: VerifiedExport): Promise<string> {
  for await (const { body } of readExport(verified)) {
    const [record] = recordsIn(verified, body);
    if (record?.type === "name") return record.name;
    break;
  }
  throw exportDamaged(verified.path, "it names no agent");
}

/** Under a name of the kind that marks what is left over, the agent would be gone with the next import. */
function requireOrdinary(name: string): void {
  if (!isImportName(name)) return;
  const message = `${JSON.stringify(name)} is no agent's name: ${IMPORT_PREFIX} is kept for imports; import it under another name`;
  throw new VaultError("VAULT_NAME_INVALID", message, { details: { name } });
}

function requireFree(vault: Vault, name: string): void {
  const branch = vault.head(name)?.id;
  if (branch === undefined) return;
  const message = `there is an agent ${JSON.stringify(name)} already; import it under another name`;
  throw new VaultError("VAULT_NAME_TAKEN", message, { details: { name, branch } });
}

function dropLeftovers(vault: Vault, alive: ReadonlySet<string>): void {
  for (const { name, branch } of vault.names()) {
    if (isImportName(name) && !alive.has(name)) drop(vault, name, branch);
  }
}

/** Takes a branch away that never became an agent. If the vault takes no more commits, the next import does it. */
function drop(vault: Vault, part: string, branch: BranchId): void {
  if (vault.head(part)?.id !== branch) return;
  try {
    vault.commit([{ type: "drop", branch }], { durability: "memory" });
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
  }
}
