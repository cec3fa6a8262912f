/**
 * What the cell says after an entry: which limit was hit, or the guest's own text passed on unread but for its first
 * letter.
 *
 * Invariant: after a limit was hit, or after the guest said that it is unusable, the isolate is gone before the record
 * leaves.
 */
import { LOAD_TICKET } from "./cell-config.ts";
import type { CellResident } from "./cell-resident.ts";
import { RecordType, type FrameWriter } from "./frames.ts";
import type { EntryFault } from "./isolate.ts";
import { FAULT, WAIT } from "./protocol.ts";

const US_PER_MS = 1000;

type ExceededCode = "SANDBOX_HEAP_EXCEEDED" | "SANDBOX_CPU_EXCEEDED" | "SANDBOX_WALL_EXCEEDED" | "SANDBOX_DISPOSED";

/** Adds the entry's figures to its turn and writes the record. `output` is undefined when the entry ended by `fault`. */
export function reportEntry(
  writer: FrameWriter,
  resident: CellResident,
  output: string | undefined,
  fault: EntryFault | undefined,
  cpuUs: number,
  wallUs: number,
  heapBytes: number,
): void {
  resident.cpuUs += cpuUs;
  resident.wallUs += wallUs;
  const code = exceededBy(resident, output, fault, heapBytes);
  if (output === undefined || code !== undefined) {
    const { slot, ticket, cpuUs, wallUs } = resident;
    const text = `${exceededText(resident, code ?? "SANDBOX_DISPOSED")}\n${output ?? resident.said}`;
    resident.discard();
    writer.addMeasured(RecordType.exceeded, slot, ticket, text, cpuUs, wallUs, heapBytes);
    return;
  }
  const type = recordTypeOf(resident, output);
  if (type === RecordType.asking) resident.isWaiting = true;
  else resident.settle();
  if (output.startsWith(FAULT)) resident.discard();
  writer.addMeasured(type, resident.slot, resident.ticket, output, resident.cpuUs, resident.wallUs, heapBytes);
}

function recordTypeOf(resident: CellResident, output: string): RecordType {
  if (resident.ticket === LOAD_TICKET) return RecordType.loaded;
  return output.startsWith(WAIT) ? RecordType.asking : RecordType.settled;
}

function exceededBy(
  resident: CellResident,
  output: string | undefined,
  fault: EntryFault | undefined,
  heapBytes: number,
): ExceededCode | undefined {
  const isLoad = resident.ticket === LOAD_TICKET;
  if (fault === "memory" || heapBytes > (resident.isolate?.heapBytesMax ?? Infinity)) return "SANDBOX_HEAP_EXCEEDED";
  if (fault === "disposed" || fault === "thrown") return "SANDBOX_DISPOSED";
  if (!isLoad && resident.cpuUs > resident.spec.cpuMs * US_PER_MS) return "SANDBOX_CPU_EXCEEDED";
  return output === undefined ? "SANDBOX_WALL_EXCEEDED" : undefined;
}

function exceededText(resident: CellResident, code: ExceededCode): string {
  const { spec } = resident;
  const what = resident.ticket === LOAD_TICKET ? "loading" : "a turn";
  return `${code}\n${spec.agent}: ${what} ${reasonOf(resident, code)}`;
}

function reasonOf(resident: CellResident, code: ExceededCode): string {
  const { heapMb, cpuMs } = resident.spec;
  const isLoad = resident.ticket === LOAD_TICKET;
  const usedMs = Math.round(resident.cpuUs / US_PER_MS);
  const reasons: Readonly<Record<ExceededCode, string>> = {
    SANDBOX_HEAP_EXCEEDED: `went over the heap limit of ${heapMb} MiB (limits.heapMb)`,
    SANDBOX_CPU_EXCEEDED: `used ${usedMs} ms of CPU time, over the limit of ${cpuMs} ms (limits.cpuMs)`,
    SANDBOX_WALL_EXCEEDED: `took longer than ${resident.entryMs} ms (limits.${isLoad ? "loadMs" : "wallMs"}; ${usedMs} ms of them on the CPU)`,
    SANDBOX_DISPOSED: "left its isolate unusable",
  };
  return reasons[code];
}
