/**
 * Backup while the vault is in use: a checkpoint, its rows and pages and the log before it, copied to a folder.
 *
 *     checkpoint --> rows and place, in one moment --> mark what they reach --> copy what no earlier pack has
 *                                                  --> copy the log up to there --> read back --> publish
 *
 * Invariants:
 * 1. The backup is the vault as it was at the checkpoint. Commits go on; the pages it needs are held, the log is kept.
 * 2. The packs of a backup hold, with every page, all pages below it. So a page that an earlier pack has needs no second look
 *    (backup-plan.ts says when an earlier pack may be relied on).
 * 3. Nothing is relied on that an earlier backup wrote and that was not looked at again (backup-earlier.ts).
 * 4. It counts only when it was read back: every file's sha256, every new page's checksum, and from the rows of the copy
 *    down every page that they reach.
 */
import { join } from "node:path";
import type { BackupFile, BackupManifest } from "./backup-manifest.ts";
import { badFiles, reliableFiles } from "./backup-earlier.ts";
import type { MendedFile } from "./backup-earlier.ts";
import { BackupFolder } from "./backup-folder.ts";
import type { HashedFile } from "./backup-file.ts";
import { NO_PLACE, backupDamaged } from "./backup-manifest.ts";
import { PackWriter } from "./backup-pack.ts";
import { PageSet } from "./page-set.ts";
import { continuesAt, fileOfPart, isRebaseDue, logParts } from "./backup-plan.ts";
import type { LogPart } from "./backup-plan.ts";
import { BackupReader } from "./backup-reader.ts";
import { writeRowsFile } from "./backup-rows.ts";
import { VaultError } from "./errors.ts";
import { systemCode, systemFiles } from "./log-files.ts";
import type { LogPlace } from "./log-scan.ts";
import type { MaintenanceContext } from "./maintenance.ts";
import type { Roots } from "./roots.ts";
import { treesOf } from "./roots.ts";
import { BRANCH_PREFIX, GLOBAL_KEY, LANDMARK_PREFIX, ROW_PREFIXES } from "./rows.ts";
import { decodeBranch, decodeGlobal, decodeLandmark } from "./rows.ts";
import type { Row } from "./rows.ts";
import { WriteStopped } from "./segment.ts";
import { Slices } from "./slices.ts";
import { pagesOfTree } from "./tree.ts";
import type { PageSource } from "./tree.ts";
import type { Vault } from "./vault.ts";

/** How far a backup is: reading what earlier ones wrote, then finding, copying and reading back pages. */
export type BackupProgress =
  | { readonly phase: "earlier"; readonly bytes: number; readonly bytesTotal: number }
  | {
      readonly phase: "mark" | "copy" | "verify";
      readonly pages: number;
      /** Of how many; unknown while marking. */
      readonly pagesTotal: number | undefined;
    };

/** How a backup is asked for. */
export interface BackupOptions {
  /**
   * "all", the default: every file of the folder is read again, so the backup is whole when this resolves. "new": of files that
   * earlier backups wrote only their presence and length are looked at; for vaults that take too long to read, with
   * "all" now and then.
   */
  readonly verify?: "all" | "new";
  readonly onProgress?: (progress: BackupProgress) => void;
  /** Ends it; the folder then holds the backup that it held before. */
  readonly signal?: AbortSignal;
}

/** What a backup holds, and what this one added. */
export interface BackupReport {
  readonly path: string;
  readonly uuid: string;
  readonly seq: number;
  readonly generation: number;
  /** All pages were written, not only new ones. */
  readonly isFull: boolean;
  /** Files of earlier backups that were damaged or gone; what they held was written anew. */
  readonly mended: readonly MendedFile[];
  readonly pages: number;
  readonly pagesWritten: number;
  readonly bytes: number;
  readonly bytesWritten: number;
  readonly durationMs: number;
}

const ROWS_AT_ONCE = 64;

/** One backup of a vault at a time: a second one begins when the first has ended. */
const turns = new WeakMap<Vault, Promise<unknown>>();

/** See the header, and `Maintenance.backup` for the codes. */
export async function backUp(on: MaintenanceContext, to: string, options: BackupOptions): Promise<BackupReport> {
  const before = turns.get(on.vault) ?? Promise.resolve();
  const turn = before.then(async () => backUpNow(on, to, options));
  // The caller has the rejection; here it only keeps the order.
  turns.set(
    on.vault,
    turn.catch(() => undefined),
  );
  return turn;
}

async function backUpNow(on: MaintenanceContext, to: string, options: BackupOptions): Promise<BackupReport> {
  const signal = options.signal === undefined ? on.closing : AbortSignal.any([options.signal, on.closing]);
  const { clock, files = systemFiles, onEvent } = on.options;
  const startMs = clock.monotonicMs();
  let folder: BackupFolder | undefined;
  try {
    signal.throwIfAborted();
    const claim = { path: to, uuid: on.parts.uuid, timeMs: clock.now(), files, step: on.step };
    folder = await BackupFolder.claim(claim);
    const { onProgress, verify = "all" } = options;
    const tellEarlier = (bytes: number, bytesTotal: number): void =>
      onProgress?.({ phase: "earlier", bytes, bytesTotal });
    const mended = await badFiles(folder.path, folder.previous, { verify, signal, onProgress: tellEarlier });
    const job = new BackupJob(on, folder, { slices: new Slices({ signal }), onProgress, mended });
    const report = await on.parts.segments.reading(async () => job.run());
    const durationMs = clock.monotonicMs() - startMs;
    onEvent({ type: "backup.completed", path: to, seq: report.seq, bytes: report.bytes, durationMs });
    return { ...report, durationMs };
  } catch (error) {
    await folder?.discard();
    throw signal.aborted ? signal.reason : backupFailure(to, error);
  }
}

interface BackupTools {
  readonly slices: Slices;
  readonly onProgress: ((progress: BackupProgress) => void) | undefined;
  readonly mended: readonly MendedFile[];
}

/** What the vault holds at the checkpoint. */
interface Capture {
  readonly rows: readonly Row[];
  readonly place: LogPlace;
  readonly roots: readonly Roots[];
}

class BackupJob {
  readonly #on: MaintenanceContext;
  readonly #folder: BackupFolder;
  readonly #tools: BackupTools;

  constructor(on: MaintenanceContext, folder: BackupFolder, tools: BackupTools) {
    this.#on = on;
    this.#folder = folder;
    this.#tools = tools;
  }

  async run(): Promise<Omit<BackupReport, "durationMs">> {
    const { checkpoints, context, parts } = this.#on;
    await checkpoints.now();
    const { holds } = context;
    const captured = await checkpoints.exclusively(async () => {
      const capture = await this.#capture();
      return { capture, hold: holds.take(capture.roots) };
    });
    try {
      const { previous } = this.#folder;
      const isGrown = await continuesAt(parts.segments, parts.log.writtenSeq, previous.place);
      const files = isGrown ? reliableFiles(previous, this.#tools.mended) : [];
      return await this.#copy(captured.capture, { ...previous, files });
    } finally {
      holds.release(captured.hold);
    }
  }

  /** The rows as they are while no checkpoint runs. */
  async #capture(): Promise<Capture> {
    const { store } = this.#on.parts;
    const rows: Row[] = [];
    const roots: Roots[] = [];
    for (const prefix of ROW_PREFIXES) {
      let some: readonly Row[] = store.rangeMeta(prefix, { limit: ROWS_AT_ONCE });
      for (let last = some.at(-1); last !== undefined; last = some.at(-1)) {
        for (const row of some) roots.push(...rootsOfRow(row));
        rows.push(...some);
        await this.#tools.slices.pause();
        some = store.rangeMeta(prefix, { limit: ROWS_AT_ONCE, after: last[0] });
      }
    }
    return { rows, roots, place: placeOf(rows) };
  }

  async #copy({ rows, roots, place }: Capture, before: BackupManifest): Promise<Omit<BackupReport, "durationMs">> {
    const { uuid } = this.#on.parts;
    const needed = await this.#mark(this.#on.context.pages, roots);
    using earlier = await BackupReader.of(this.#folder.path, before);
    const packs = before.files.filter(({ kind }) => kind === "pages");
    const { neededBytes, missing } = await this.#compare(needed, earlier);
    const isFull = isRebaseDue({ packs: packs.length, bytes: sum(packs), neededBytes }) || packs.length === 0;
    const rowsFile = await this.#folder.add("rows", { kind: "rows" }, async (file) => writeRowsFile(file, rows));
    const pagesWritten = isFull ? needed.count : missing;
    const pack = pagesWritten === 0 ? [] : [await this.#writePack(needed, isFull ? undefined : earlier, pagesWritten)];
    const logs = await this.#copyLog(place, before);
    const added = [rowsFile, ...pack, ...logs.added];
    const files = [rowsFile, ...(isFull ? [] : packs), ...pack, ...logs.all];
    const { generation } = this.#folder;
    const manifest = { format: 1, uuid, generation, timeMs: this.#on.options.clock.now(), place, files } as const;
    await this.#verify(manifest, added);
    await this.#folder.publish(manifest);
    return {
      path: this.#folder.path,
      uuid,
      seq: place.seq,
      generation,
      isFull,
      mended: this.#tools.mended,
      pages: needed.count,
      pagesWritten,
      bytes: sum(files),
      bytesWritten: sum(added),
    };
  }

  async #mark(source: PageSource, roots: readonly Roots[]): Promise<PageSet> {
    const seen = new PageSet();
    for (const tree of roots.flatMap(treesOf)) {
      for (const _ of pagesOfTree(source, tree, (id) => !seen.add(id))) {
        const pause = this.#tools.slices.pause();
        if (pause === undefined) continue;
        this.#tools.onProgress?.({ phase: "mark", pages: seen.count, pagesTotal: undefined });
        await pause;
      }
    }
    return seen;
  }

  /** What earlier packs have of `needed`, and what they lack. */
  async #compare(needed: PageSet, earlier: BackupReader): Promise<{ neededBytes: number; missing: number }> {
    let neededBytes = 0;
    let missing = 0;
    for (const id of needed.ids()) {
      const bytes = earlier.sizeOf(id);
      if (bytes === undefined) missing++;
      else neededBytes += bytes;
      await this.#tools.slices.pause();
    }
    return { neededBytes, missing };
  }

  /** Writes the pages that `earlier` does not have. */
  async #writePack(needed: PageSet, earlier: BackupReader | undefined, pagesTotal: number): Promise<BackupFile> {
    const { uuid } = this.#on.parts;
    return this.#folder.add("pages", { kind: "pages" }, async (out) => {
      const pack = new PackWriter(out, { uuid, generation: this.#folder.generation });
      for (const id of needed.ids()) {
        if (earlier?.sizeOf(id) === undefined) {
          // From the file: a copy in memory would hide what has happened to it, and would push others out.
          const writing = pack.add(id, this.#on.parts.store.freshPage(id).bytes);
          if (writing !== undefined) await writing;
        }
        await this.#pause({ phase: "copy", pages: pack.count, pagesTotal });
      }
      await pack.end();
    });
  }

  async #copyLog(place: LogPlace, before: BackupManifest): Promise<{ all: BackupFile[]; added: BackupFile[] }> {
    const all: BackupFile[] = [];
    const added: BackupFile[] = [];
    for (const part of logParts(this.#on.parts.segments.segments, place)) {
      const known = fileOfPart(before, part);
      const file = known ?? (await this.#copyPart(part));
      all.push(file);
      if (known === undefined) added.push(file);
    }
    return { all, added };
  }

  async #copyPart({ segmentNo, bytes }: LogPart): Promise<BackupFile> {
    const name = `${String(segmentNo).padStart(10, "0")}.log`;
    return this.#folder.add(name, { kind: "log", segmentNo }, async (out) => {
      const source = await this.#on.parts.segments.openSegment(segmentNo);
      try {
        await copyBytes(source, out, bytes, async () => this.#tools.slices.pause());
      } finally {
        await source.close();
      }
    });
  }

  /** Invariant 4. Throws VAULT_BACKUP_DAMAGED. */
  async #verify(manifest: BackupManifest, added: readonly BackupFile[]): Promise<void> {
    using reader = await BackupReader.of(this.#folder.path, manifest);
    await reader.verifyFiles(added);
    for (const file of added) {
      for (const id of reader.pageIdsOf(file)) {
        if (reader.pageBytes(id) === undefined)
          throw backupDamaged(join(this.#folder.path, file.name), `page ${id.arena}/${id.no} reads differently`);
        await this.#tools.slices.pause();
      }
    }
    const reached = await this.#mark(reader, reader.rows().flatMap(rootsOfRow));
    for (const id of reached.ids()) {
      if (reader.sizeOf(id) === undefined)
        throw backupDamaged(this.#folder.path, `page ${id.arena}/${id.no} is in no pack`);
      await this.#pause({ phase: "verify", pages: reached.count, pagesTotal: reached.count });
    }
  }

  async #pause(progress: BackupProgress): Promise<void> {
    const pause = this.#tools.slices.pause();
    if (pause === undefined) return;
    this.#tools.onProgress?.(progress);
    await pause;
  }
}

const COPY_BYTES: number = 256 * 1024;

async function copyBytes(
  source: { readonly read: (into: Uint8Array, position: number) => Promise<number> },
  out: HashedFile,
  bytes: number,
  pause: () => Promise<void>,
): Promise<void> {
  const piece = Buffer.allocUnsafeSlow(Math.min(COPY_BYTES, bytes));
  for (let at = 0; at < bytes;) {
    const count = await source.read(piece.subarray(0, Math.min(piece.length, bytes - at)), at);
    // What was cut off a segment is missing in its copy as well: damage is for the check to find.
    if (count === 0) return;
    await out.append(piece.subarray(0, count));
    at += count;
    await pause();
  }
}

/** The trees that a row of the meta table names. */
export function rootsOfRow(row: Row): readonly Roots[] {
  const [key] = row;
  if (key[0] === BRANCH_PREFIX[0]) return [decodeBranch(row).roots];
  if (key[0] === LANDMARK_PREFIX[0]) return [decodeLandmark(row).roots];
  return [];
}

function placeOf(rows: readonly Row[]): LogPlace {
  const global = rows.find(([key]) => Buffer.compare(key, GLOBAL_KEY) === 0);
  return global === undefined ? NO_PLACE : decodeGlobal(global).place;
}

function sum(files: readonly BackupFile[]): number {
  return files.reduce((bytes, file) => bytes + file.bytes, 0);
}

function backupFailure(path: string, cause: unknown): unknown {
  // A write that ended early carries the system's reason.
  const reasoned = cause instanceof WriteStopped ? cause.cause : cause;
  const code = reasoned instanceof VaultError ? reasoned.code : systemCode(reasoned);
  // An error of ours that says it all, or a bug.
  if (code === "" || code.startsWith("VAULT_BACKUP") || code === "VAULT_FORMAT_UNKNOWN") return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `the backup to ${path} was not written: ${reason}; what an earlier one wrote is still there`;
  return new VaultError("VAULT_BACKUP_FAILED", message, { details: { path, code }, cause });
}
