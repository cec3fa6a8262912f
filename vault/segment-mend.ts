/**
 * A segment whose header cannot be read, though the frames behind it can: all that a header says can be found again. The
 * vault and the number are known, the salt follows from them, and the first frame names the salt and its own seq.
 */
import { FRAME_BYTES_MAX, readFrame } from "./frame.ts";
import { saltOf } from "./identity.ts";
import type { LogFile } from "./log-files.ts";
import { LOG_FORMAT, SEGMENT_HEADER_BYTES, encodeSegmentHeader, readFully, writeFully } from "./segment.ts";
import type { SegmentHeader } from "./segment.ts";

/** Which segment it must be. */
export interface SegmentPlace {
  readonly uuid: string;
  readonly no: number;
  /** Size of the file. */
  readonly bytes: number;
}

const FIRST_READ_BYTES: number = 1024 * 1024;

/** Writes the header anew and returns it; undefined when the first frame does not check either. Durable when it resolves. */
export async function mendHeader(file: LogFile, place: SegmentPlace): Promise<SegmentHeader | undefined> {
  const salt = saltOf(place.uuid, place.no);
  for (let format = LOG_FORMAT; format >= 1; format--) {
    const found = await firstFrame(file, { salt, format });
    // The first frame of a segment has the salt where others have the checksum before them.
    if (found === undefined || found.previousCrc !== salt) continue;
    const header = { ...place, format, firstSeq: found.seq - found.skip, salt, timeMs: found.timeMs };
    await writeFully(file, encodeSegmentHeader(header), 0);
    await file.sync();
    return header;
  }
  return undefined;
}

async function firstFrame(file: LogFile, shape: { readonly salt: number; readonly format: number }) {
  for (let size = FIRST_READ_BYTES; ;) {
    const chunk = Buffer.allocUnsafeSlow(size);
    const bytes = chunk.subarray(0, await readFully(file, chunk, SEGMENT_HEADER_BYTES));
    const found = readFrame(bytes, 0, shape);
    if (found.kind === "frame") return found.frame;
    const isMoreThere = found.kind === "short" && bytes.length === size && found.bytesNeeded <= FRAME_BYTES_MAX;
    if (!isMoreThere) return undefined;
    size = found.bytesNeeded;
  }
}
