/**
 * A branch's history: what the retained log says about it and its forebears, newest first, and the snapshots that
 * outlive the log.
 */
import type { BranchState } from "./branch-state.ts";
import type { Frame } from "./frame.ts";
import { readFrames } from "./log-scan.ts";
import type { HistoryEntry } from "./model.ts";
import { lineage } from "./past.ts";
import type { Past } from "./past.ts";
import { readRecords } from "./record.ts";
import type { LogRecord } from "./record.ts";
import { keyOf } from "./state.ts";

/** The newest `limit` entries. Reads segments from the newest back, in slices, and no more of them than it needs. */
export async function historyOf(past: Past, branch: BranchState, limit: number): Promise<readonly HistoryEntry[]> {
  const { state, log, folder } = past;
  const until = new Map([...lineage(state, branch)].map((each) => [each.branch.id, each.untilSeq] as const));
  const { lastSeq } = log;
  await log.written(lastSeq);
  const entries: HistoryEntry[] = [];
  await folder.reading(async () => {
    for (const [index, header] of [...folder.segments.entries()].toReversed()) {
      if (entries.length >= limit) return;
      const untilSeq = (folder.segments[index + 1]?.firstSeq ?? lastSeq + 1) - 1;
      const found: HistoryEntry[] = [];
      await readFrames(folder, { fromSeq: header.firstSeq, untilSeq, writtenSeq: lastSeq }, (frame) => {
        for (const record of readRecords(frame.body)) {
          const belongs = record.branch !== undefined && frame.seq <= (until.get(record.branch) ?? -1);
          const entry = belongs ? entryOf(frame, record) : undefined;
          if (entry !== undefined) found.push(entry);
        }
      });
      // One by one: a segment has more of them than a call can have arguments.
      for (const entry of found.toReversed()) entries.push(entry);
    }
    for (const entry of oldSnapshots(past, branch)) entries.push(entry);
  });
  return entries.slice(0, limit);
}

function entryOf({ seq, timeMs, note }: Frame, record: LogRecord): HistoryEntry | undefined {
  // A copy: the frame's bytes are a window into a whole chunk of the log.
  const base = { seq, timeMs, ...(note === undefined ? {} : { note: new Uint8Array(note) }) };
  switch (record.type) {
    case "write": {
      const origin = record.origin === undefined ? {} : { origin: record.origin };
      return { ...base, ...origin, kind: "write", keys: record.ops.map(keyOf) };
    }
    case "snapshot":
      return { ...base, kind: "snapshot", label: record.label, keys: [] };
    case "name":
      return { ...base, kind: "name", label: record.name, keys: [] };
    case "restore":
    case "fork": {
      const label = record.source.from === "snapshot" ? { label: record.source.label } : {};
      return { ...base, kind: record.type, ...label, keys: [] };
    }
    case "create":
      return { ...base, kind: "create", keys: [] };
    case "drop":
    case "forget":
      return undefined;
  }
}

/** Snapshots from before the retained log, newest first. */
function oldSnapshots({ state, folder }: Past, branch: BranchState): HistoryEntry[] {
  const firstSeq = folder.firstSeq ?? 0;
  const snapshots: HistoryEntry[] = [];
  for (const { branch: owner, untilSeq } of lineage(state, branch)) {
    for (const { kind, seq, timeMs, label } of owner.landmarks) {
      if (kind !== "snapshot" || seq >= firstSeq || seq > untilSeq) continue;
      snapshots.push({ seq, timeMs, kind: "snapshot", label, keys: [] });
    }
  }
  return snapshots.toSorted((a, b) => b.seq - a.seq);
}
