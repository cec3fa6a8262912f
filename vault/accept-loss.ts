/**
 * Going on behind damage in the log. What had been durable and cannot be read any more is never left out in silence: opening
 * refuses (VAULT_LOG_DAMAGED) and names the first entry that is lost. Whoever accepts that loss says so by that number.
 *
 *     segment 7: frames ... | damage ...     segment 8, 9: set aside as lost-*.log     new segment 8: later entries
 *
 * Invariants:
 * 1. Only the very loss that was refused is accepted: a number that does not fit changes nothing.
 * 2. Entries before the damage are kept. Nothing is deleted: segments behind it stay in the folder under other names.
 * 3. The numbers of lost entries are not given out again: somebody may have been told them.
 */
import { VaultError } from "./errors.ts";
import { FRAME_HEADER_BYTES } from "./frame.ts";
import { replayLog, syncSegments } from "./recovery.ts";
import type { Loaded, Replayed } from "./recovery.ts";
import type { SegmentFolder } from "./segment-folder.ts";
import { segmentNo } from "./segment.ts";

/** Entries that were given up. The last number is an upper bound. */
export interface LostEntries {
  readonly firstSeq: number;
  readonly lastSeq: number;
}

/** As `replayLog`; when that meets damage whose first lost entry is `acceptLoss`, goes on with what comes before it. */
export async function replayAccepting(
  segments: SegmentFolder,
  loaded: Loaded,
  acceptLoss: number | undefined,
): Promise<Replayed & { readonly lost?: LostEntries }> {
  try {
    return await replayLog(segments, loaded);
  } catch (error) {
    const damage = damageAt(error);
    const isThere = segments.segments.some(({ no }) => no === damage?.segmentNo);
    if (damage === undefined || damage.firstSeq !== acceptLoss || !isThere) throw error;
    const { offset, firstSeq } = damage;
    const lost = { firstSeq, lastSeq: lastLost(segments, damage) };
    await segments.setAside(damage.segmentNo);
    await syncSegments(segments, 0);
    // No frame will be written behind this place, so nothing is chained to it: the log goes on in a new segment.
    const end = { segmentNo: damage.segmentNo, offset, crc: 0, seq: lost.lastSeq };
    const entries = firstSeq - 1 - (loaded.place?.seq ?? 0);
    return { entries, bytes: 0, end, isTorn: true, namesPages: true, lost };
  }
}

interface LogDamage {
  readonly segmentNo: number;
  readonly offset: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

function damageAt(error: unknown): LogDamage | undefined {
  if (!(error instanceof VaultError) || error.code !== "VAULT_LOG_DAMAGED") return undefined;
  const { segment, offset, firstLostSeq: firstSeq, lastLostSeq } = error.details;
  const no = typeof segment === "string" ? segmentNo(segment) : undefined;
  if (no === undefined || typeof offset !== "number" || typeof firstSeq !== "number") return undefined;
  return { segmentNo: no, offset, firstSeq, lastSeq: typeof lastLostSeq === "number" ? lastLostSeq : firstSeq };
}

/** What lies behind the damage is not read: beyond the last number that is known, so many as fit into a segment. */
function lastLost({ segments }: SegmentFolder, { lastSeq }: LogDamage): number {
  const known = Math.max(lastSeq, ...segments.map(({ firstSeq }) => firstSeq));
  return known + Math.ceil(Math.max(...segments.map(({ bytes }) => bytes)) / FRAME_HEADER_BYTES);
}
