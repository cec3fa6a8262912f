/**
 * Exporting one agent: its state with its past, as one file that any vault can take in. What belongs to it is decided in
 * export-timeline.ts; here it is read and written.
 *
 * Invariants:
 * 1. Memory is bounded by one segment of the log and one frame: states are streamed, differences too.
 * 2. What is being read is held: nothing of it is collected, no segment released, until the export ends.
 * 3. The file has its name only when it is whole and durable. What could not be written to the end is taken away.
 */
import { dirname } from "node:path";
import type { BackupView } from "./backup-view.ts";
import type { BranchState } from "./branch-state.ts";
import { diffLayers } from "./diff.ts";
import { VaultError } from "./errors.ts";
import { ContentHash, EXPORTED_BRANCH, ExportWriter } from "./export-file.ts";
import { byId, isBehind, momentOf, timelineOf } from "./export-timeline.ts";
import type { Member, OldState, Position } from "./export-timeline.ts";
import { FRAME_BYTES_MAX } from "./frame.ts";
import type { Frame } from "./frame.ts";
import type { Landmark } from "./landmark.ts";
import type { StateLayer } from "./layer.ts";
import { systemCode, systemFiles } from "./log-files.ts";
import type { LogFiles } from "./log-files.ts";
import { readFrames } from "./log-scan.ts";
import type { Op, Origin, Point, Seq } from "./model.ts";
import { stateAt } from "./past.ts";
import type { PastState } from "./past.ts";
import { readRecords } from "./record.ts";
import type { LogRecord } from "./record.ts";
import { WriteStopped } from "./segment.ts";
import { Slices } from "./slices.ts";
import { keyOf } from "./state.ts";
import type { ViewContext } from "./view.ts";

/** How an export is asked for. */
export interface ExportOptions {
  /** Which state; default: the newest. */
  readonly at?: Point;
  /** False leaves out the past: for a log or an old page that cannot be read. */
  readonly history?: boolean;
  readonly onProgress?: (progress: { readonly bytes: number; readonly frames: number }) => void;
  /** Ends it; the file is taken away. */
  readonly signal?: AbortSignal;
}

/** What was exported. */
export interface ExportReport {
  readonly path: string;
  readonly seq: number;
  readonly entries: number;
  /** States that a record or a snapshot stands for. */
  readonly frames: number;
  readonly snapshots: number;
  readonly bytes: number;
}

/** What an export is made from, and where it goes. */
export interface ExportJobOptions extends ExportOptions {
  readonly uuid: string;
  readonly context: ViewContext;
  readonly branch: BranchState;
  readonly name: string;
  readonly path: string;
  readonly files: LogFiles;
  readonly timeMs: number;
}

/** Entries of a base or of a difference share frames of about this size: importing one takes a millisecond. */
const GROUP_BYTES: number = 128 * 1024;
/** A commit stays one, unless it is larger. */
const COMMIT_BYTES_MAX: number = 8 * 1024 * 1024;
/** What a frame needs beside the bytes of a value. */
const FRAME_ROOM_BYTES = 4096;

/** See the header, and `Maintenance.exportBranch` for the codes. */
export async function exportState(options: ExportJobOptions): Promise<ExportReport> {
  const { context, branch, path, files, uuid, timeMs, signal } = options;
  try {
    return await context.folder.reading(async () => {
      const target = await targetOf(context, branch, options.at);
      const writer = await ExportWriter.create(files, partOf(path), { uuid, seq: target.seq, timeMs });
      try {
        const report = await new ExportJob(options, target, writer).run();
        await files.rename(partOf(path), path);
        await files.syncFolder(dirname(path));
        return report;
      } catch (error) {
        await writer.close();
        await files.remove(partOf(path));
        throw error;
      }
    });
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : exportFailure(path, error);
  }
}

/** Until it is whole the file has another name, so that one of an earlier export is not lost. */
function partOf(path: string): string {
  return `${path}.part`;
}

/** The state that is exported. Snapshots that were taken of it after its last write belong to it. */
async function targetOf(context: ViewContext, branch: BranchState, at: Point | undefined): Promise<PastState> {
  const { lastSeq } = context.log;
  const target = await stateAt(context, branch, at ?? { seq: lastSeq });
  const asked = at === undefined ? lastSeq : "seq" in at ? at.seq : target.seq;
  // A position in the log that is known to be one: not beyond the last.
  return target.branch === branch.id && asked > target.seq ? { ...target, seq: asked as Seq } : target;
}

class ExportJob {
  readonly #options: ExportJobOptions;
  readonly #target: PastState;
  readonly #writer: ExportWriter;
  readonly #slices: Slices;
  /** As they were when the export began; they keep the states alive that it reads, whatever is pruned meanwhile. */
  readonly #landmarks = new Map<BranchState, readonly Landmark[]>();
  #snapshots = 0;

  constructor(options: ExportJobOptions, target: PastState, writer: ExportWriter) {
    this.#options = options;
    this.#target = target;
    this.#writer = writer;
    this.#slices = new Slices(options.signal === undefined ? {} : { signal: options.signal });
  }

  async run(): Promise<ExportReport> {
    const { context, name, timeMs, path } = this.#options;
    const { state, folder, holds } = context;
    const timeline =
      this.#options.history === false ? momentOf(this.#target) : timelineOf(state, this.#target, folder.firstSeq);
    for (const { branch } of timeline.members) this.#landmarks.set(branch, [...branch.landmarks]);
    const landmarks = [...this.#landmarks.values()].flat();
    for (const { layer } of [this.#target, ...timeline.states, ...landmarks]) holds.watch(layer);
    await this.#add(timeMs, [{ type: "name", branch: EXPORTED_BRANCH, name }]);
    await this.#states(timeline.states);
    await this.#log(timeline.after, timeline.members);
    const { entries, sha256 } = await this.#content();
    await this.#writer.finish(sha256);
    const { frames, bytes } = this.#writer;
    return { path, seq: this.#target.seq, entries, frames, snapshots: this.#snapshots, bytes };
  }

  /** The first state in full, each later one as its difference to the one before. */
  async #states(states: readonly OldState[]): Promise<void> {
    let before: StateLayer | undefined;
    for (const { layer, label, seq, timeMs = this.#options.timeMs } of states) {
      const origin = { seq: seq as Seq, timeMs }; // Positions of landmarks are seqs.
      await this.#write(before === undefined ? this.#all(layer) : this.#difference(before, layer), { origin });
      if (label !== undefined) await this.#snapshot(timeMs, label);
      before = layer;
    }
  }

  async #log(after: Position, members: readonly Member[]): Promise<void> {
    const { folder, log } = this.#options.context;
    const until = byId(members);
    const untilSeq = this.#target.seq;
    await log.written(untilSeq);
    for (const [index, { firstSeq }] of folder.segments.entries()) {
      const lastSeq = Math.min(untilSeq, (folder.segments[index + 1]?.firstSeq ?? Infinity) - 1);
      if (members.length === 0 || lastSeq < after.seq || firstSeq > untilSeq) continue;
      const found: FoundRecord[] = [];
      const range = { fromSeq: Math.max(firstSeq, after.seq), untilSeq: lastSeq, writtenSeq: log.writtenSeq };
      await readFrames(folder, range, (frame) => void found.push(...recordsOf(frame, until)));
      for (const each of found) {
        if (isBehind(each, after) && !this.#isBeyond(each)) await this.#record(each);
      }
    }
  }

  /** A snapshot may stand in the middle of a commit: what follows it there is not in it. */
  #isBeyond({ seq, part }: FoundRecord): boolean {
    const { label } = this.#target;
    if (label === undefined || seq < this.#target.seq) return false;
    const landmarks = [...this.#landmarks.values()].flat();
    const mark = landmarks.findLast((each) => each.seq === seq && each.kind === "snapshot" && each.label === label);
    return mark !== undefined && part > mark.part;
  }

  async #record(found: FoundRecord): Promise<void> {
    const { record, member, frame, seq } = found;
    const origin = { seq: frame.seq, timeMs: frame.timeMs };
    switch (record.type) {
      case "write":
        return this.#write(record.ops, {
          origin: record.origin ?? origin,
          note: frame.note,
          bytesMax: COMMIT_BYTES_MAX,
        });
      case "snapshot": {
        const mark = this.#landmarkAt(member.branch, found);
        // One that was forgotten since is not kept in the copy either.
        return mark?.kind === "snapshot" ? this.#snapshot(frame.timeMs, record.label, frame.note) : undefined;
      }
      case "fork":
      case "restore": {
        if (record.source.from === "head" && record.type === "fork") return undefined;
        const after = this.#landmarkAt(member.branch, found)?.layer;
        if (after === undefined) throw lost(member.branch, seq);
        return this.#write(this.#difference(await this.#before(found), after), { origin, note: frame.note });
      }
      case "create":
      case "name":
      case "drop":
      case "forget":
        return undefined;
    }
  }

  /** The state just before a fork or a restore. */
  async #before({ record, member, seq, part }: FoundRecord): Promise<StateLayer> {
    const { context } = this.#options;
    const { branch } = member;
    if (record.type === "fork") {
      const from = branch.parent === undefined ? undefined : context.state.branches.get(branch.parent.branch);
      if (from === undefined || branch.parent === undefined) throw lost(branch, seq);
      return (await stateAt(context, from, { seq: branch.parent.seq })).layer;
    }
    const mark = this.#landmarkAt(branch, { seq, part: part - 1 });
    return mark?.layer ?? (await stateAt(context, branch, { seq: seq - 1 })).layer;
  }

  /** The landmark that a record made. */
  #landmarkAt(branch: BranchState, { seq, part }: Position): Landmark | undefined {
    return this.#landmarks.get(branch)?.find((each) => each.seq === seq && each.part === part);
  }

  *#all(layer: StateLayer): Generator<Op, void> {
    for (const [key, value] of layer.range(this.#options.context.pages, {})) yield { put: key, value };
  }

  *#difference(before: StateLayer, after: StateLayer): Generator<Op, void> {
    for (const { key, after: value } of diffLayers(this.#options.context.pages, before, after))
      yield value === undefined ? { delete: key } : { put: key, value };
  }

  /** Writes operations as one frame, or as several when they are many. */
  async #write(ops: Iterable<Op>, { origin, note, bytesMax = GROUP_BYTES }: WriteOptions): Promise<void> {
    let group: Op[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      if (group.length === 0) return;
      // The origin takes a few bytes more than the frame had that the value came in: the very largest go without it.
      const isRoomy = bytes < FRAME_BYTES_MAX - FRAME_ROOM_BYTES;
      const write = {
        type: "write",
        branch: EXPORTED_BRANCH,
        epoch: 0,
        ops: group,
        ...(isRoomy ? { origin } : {}),
      } as const;
      await this.#add(origin.timeMs, [write], isRoomy ? note : undefined);
      group = [];
      bytes = 0;
    };
    for (const op of ops) {
      const size = keyOf(op).length * 3 + 6 + ("put" in op ? op.value.length : 0);
      if (bytes + size > bytesMax) await flush();
      group.push(op);
      bytes += size;
      await this.#slices.pause();
    }
    await flush();
  }

  async #snapshot(timeMs: number, label: string, note?: Uint8Array): Promise<void> {
    this.#snapshots++;
    await this.#add(timeMs, [{ type: "snapshot", branch: EXPORTED_BRANCH, label }], note);
  }

  async #add(timeMs: number, records: readonly LogRecord[], note?: Uint8Array): Promise<void> {
    await this.#writer.add({ timeMs, note, records });
    const { bytes, frames } = this.#writer;
    this.#options.onProgress?.({ bytes, frames });
    await this.#slices.pause();
  }

  async #content(): Promise<{ readonly entries: number; readonly sha256: Buffer }> {
    const hash = new ContentHash();
    let entries = 0;
    for (const [key, value] of this.#target.layer.range(this.#options.context.pages, {})) {
      hash.add(key, value);
      entries++;
      await this.#slices.pause();
    }
    return { entries, sha256: hash.digest() };
  }
}

/** Where and when a write was first made, its note, and from which size on it is cut. */
interface WriteOptions {
  readonly origin: Origin;
  readonly note?: Uint8Array | undefined;
  readonly bytesMax?: number;
}

/** A record of the log that belongs to the export. */
interface FoundRecord extends Position {
  readonly record: LogRecord;
  readonly member: Member;
  readonly frame: Frame;
}

function recordsOf(frame: Frame, members: ReadonlyMap<number, Member>): readonly FoundRecord[] {
  const found: FoundRecord[] = [];
  for (const [part, record] of readRecords(frame.body).entries()) {
    const member = record.branch === undefined ? undefined : members.get(record.branch);
    if (member !== undefined && frame.seq <= member.untilSeq)
      found.push({ record, member, frame, seq: frame.seq, part });
  }
  return found;
}

function lost(branch: BranchState, seq: number): VaultError {
  const message = `the state of branch ${branch.id} at ${seq} is no longer kept, which its export needs; try again`;
  return new VaultError("VAULT_POINT_EXPIRED", message, { details: { branch: branch.id, point: seq } });
}

function exportFailure(path: string, cause: unknown): unknown {
  const reasoned = cause instanceof WriteStopped ? cause.cause : cause;
  if (cause instanceof VaultError || systemCode(reasoned) === "") return cause;
  const reason = reasoned instanceof Error ? reasoned.message : String(reasoned);
  const message = `the export to ${path} was not written: ${reason}`;
  return new VaultError("VAULT_EXPORT_FAILED", message, { details: { path, code: systemCode(reasoned) }, cause });
}

/**
 * Exports one agent from a backup, without restoring anything else. Rejects as `Maintenance.exportBranch` does, and with
 * VAULT_BRANCH_UNKNOWN when the backup has no agent of this name.
 */
export async function exportFromBackup(
  view: BackupView,
  name: string,
  path: string,
  options: ExportOptions = {},
): Promise<ExportReport> {
  const { context, reader } = view;
  const id = context.state.names.get(name);
  const branch = id === undefined ? undefined : context.state.branches.get(id);
  if (branch === undefined) {
    const message = `the backup ${reader.path} has no agent ${JSON.stringify(name)}`;
    throw new VaultError("VAULT_BRANCH_UNKNOWN", message, { details: { name } });
  }
  const { uuid, timeMs } = reader.manifest;
  return exportState({ ...options, uuid, context, branch, name, path, files: systemFiles, timeMs });
}
