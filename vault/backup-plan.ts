/**
 * What a backup does with what is there already: the decisions, without effects.
 *
 * A page in an older pack may be relied on only if the vault is the one that was backed up then, grown further. A vault that
 * was restored from an older state may have given the same page number to other content since. So the frame of the log at
 * which the earlier backup ended must still be in the log, with the same checksum; frames are chained, so everything before
 * it is then the same too.
 */
import type { BackupFile, BackupManifest } from "./backup-manifest.ts";
import { VaultError } from "./errors.ts";
import { readFrames } from "./log-scan.ts";
import type { LogPlace } from "./log-scan.ts";
import type { SegmentFolder } from "./segment-folder.ts";
import { SEGMENT_HEADER_BYTES } from "./segment.ts";

/** Beyond this share of dead pages the packs are written anew. */
const WASTE_MAX = 0.5;
/** ... but not for less than this. */
const WASTE_BYTES_MIN: number = 1024 * 1024;
/** A page is looked for in every pack. */
const PACKS_MAX = 128;

/** How the packs that are there stand. */
export interface PackFigures {
  readonly packs: number;
  readonly bytes: number;
  /** Of these, pages that are still needed. */
  readonly neededBytes: number;
}

/** Whether it is better to write all pages again than to go on adding packs. */
export function isRebaseDue({ packs, bytes, neededBytes }: PackFigures): boolean {
  const waste = bytes - neededBytes;
  return packs >= PACKS_MAX || (waste > bytes * WASTE_MAX && waste > WASTE_BYTES_MIN);
}

/** A segment, or the part of it before the checkpoint. */
export interface LogPart {
  readonly segmentNo: number;
  readonly bytes: number;
}

/** The parts of the log that belong to a backup that ends at `place`. */
export function logParts(
  segments: readonly { readonly no: number; readonly bytes: number }[],
  place: LogPlace,
): readonly LogPart[] {
  return segments
    .filter(({ no }) => no <= place.segmentNo)
    .map(({ no, bytes }) => ({ segmentNo: no, bytes: no < place.segmentNo ? bytes : place.offset }));
}

/** The file of an earlier backup that has this part already. */
export function fileOfPart({ files }: BackupManifest, { segmentNo, bytes }: LogPart): BackupFile | undefined {
  return files.find((file) => file.kind === "log" && file.segmentNo === segmentNo && file.bytes === bytes);
}

/** Whether the vault with this log is the one of an earlier backup, grown further. False where that cannot be shown. */
export async function continuesAt(folder: SegmentFolder, writtenSeq: number, place: LogPlace): Promise<boolean> {
  const { seq, crc, offset } = place;
  const isInLog = folder.firstSeq !== undefined && folder.firstSeq <= seq && seq <= writtenSeq;
  // In front of a segment's first frame the place has a salt for its checksum, which proves nothing.
  if (!isInLog || offset <= SEGMENT_HEADER_BYTES) return false;
  let isSame = false;
  try {
    await readFrames(folder, { fromSeq: seq, untilSeq: seq, writtenSeq }, (frame) => (isSame = frame.crc === crc));
  } catch (error) {
    // A log that is damaged there shows nothing; whatever else that means is for the check to say.
    if (error instanceof VaultError && error.code === "VAULT_LOG_DAMAGED") return false;
    throw error;
  }
  return isSame;
}
