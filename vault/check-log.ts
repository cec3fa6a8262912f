/**
 * Checking the log: every retained frame, its checksum, its place in the chain, and whether its records can be read.
 */
import { VaultError } from "./errors.ts";
import type { Log } from "./log.ts";
import { readFrames } from "./log-scan.ts";
import { readRecords } from "./record.ts";
import type { SegmentFolder } from "./segment-folder.ts";
import { decodeSegmentHeader, readFully, SEGMENT_HEADER_BYTES, segmentName } from "./segment.ts";
import type { Slices } from "./slices.ts";

/** What is wrong somewhere that is not a page. */
export interface CheckProblem {
  readonly where: "identity" | "log" | "rows" | "structure";
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  /** Of damage to the log: the segment's number. */
  readonly segmentNo?: number;
}

/** What the log says. */
export interface LogCheck {
  readonly entries: number;
  readonly problems: readonly CheckProblem[];
}

/** Reads all segments, one after the other: damage in one does not hide another. */
export async function checkLog(
  { log, folder, checkpointSeq }: { log: Log; folder: SegmentFolder; checkpointSeq: number },
  slices: Slices,
): Promise<LogCheck> {
  const problems: CheckProblem[] = [];
  let entries = 0;
  await folder.reading(async () => {
    const segments = [...folder.segments];
    const { writtenSeq } = log;
    for (const [index, header] of segments.entries()) {
      const untilSeq = (segments[index + 1]?.firstSeq ?? writtenSeq + 1) - 1;
      const seen = { seq: header.firstSeq - 1 };
      try {
        await checkHeader(folder, header.no);
        await readFrames(folder, { fromSeq: header.firstSeq, untilSeq, writtenSeq }, ({ seq, body }) => {
          readRecords(body);
          seen.seq = seq;
          entries++;
        });
      } catch (error) {
        const isDamage =
          error instanceof RangeError || (error instanceof VaultError && error.code === "VAULT_LOG_DAMAGED");
        if (!isDamage) throw error;
        problems.push(logProblem({ no: header.no, firstSeq: seen.seq + 1, untilSeq, checkpointSeq }, error));
      }
      await slices.pause();
    }
  });
  return { entries, problems };
}

async function checkHeader(folder: SegmentFolder, no: number): Promise<void> {
  const file = await folder.openSegment(no);
  try {
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const count = await readFully(file, bytes, 0);
    decodeSegmentHeader(bytes.subarray(0, count), segmentName(no));
  } finally {
    await file.close();
  }
}

interface Loss {
  readonly no: number;
  readonly firstSeq: number;
  readonly untilSeq: number;
  readonly checkpointSeq: number;
}

function logProblem({ no, firstSeq, untilSeq, checkpointSeq }: Loss, error: Error): CheckProblem {
  const segment = segmentName(no);
  const range = `entries ${firstSeq} to ${untilSeq}`;
  const isBehind = untilSeq <= checkpointSeq;
  const message = isBehind
    ? `${range} in log segment ${segment} cannot be read; their effect is in pages, only points in time among them are lost; check --repair puts the segment and older ones aside`
    : `${range} in log segment ${segment} cannot be read and are not all in pages yet: take a checkpoint before closing the vault`;
  const details = error instanceof VaultError ? error.details : {};
  return {
    where: "log",
    segmentNo: no,
    message,
    details: { ...details, segment, firstLostSeq: firstSeq, lastLostSeq: untilSeq },
  };
}
