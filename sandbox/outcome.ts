/** What placing an agent and running its turns takes and gives. Types only. */
import type { Declared, GuestFault, GuestLog, IsolateLimits, Outbound, StateOp } from "./protocol.ts";
import type { RowOp, RowQuery } from "./rows.ts";

/** A definition that was evaluated and checked. */
export interface Loaded extends Declared {
  /** Heap in use afterwards. */
  readonly heapBytes: number;
}

/** What a turn used: CPU and wall time inside the guest (waiting for answers not counted), heap in use afterwards. */
export interface TurnMeter {
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly heapBytes: number;
}

/** How a turn ended. */
export type Outcome =
  | {
      readonly kind: "done";
      readonly reply: string;
      readonly ops: readonly StateOp[];
      readonly rows: readonly RowOp[];
      readonly outbox: readonly Outbound[];
      readonly logs: readonly GuestLog[];
      readonly meter: TurnMeter;
    }
  /** The handler threw. Its draft is dropped, the isolate lives. */
  | {
      readonly kind: "threw";
      readonly fault: GuestFault;
      readonly logs: readonly GuestLog[];
      readonly meter: TurnMeter;
    }
  /** A limit was hit; the isolate is gone. */
  | {
      readonly kind: "exceeded";
      readonly code: "SANDBOX_HEAP_EXCEEDED" | "SANDBOX_CPU_EXCEEDED" | "SANDBOX_WALL_EXCEEDED";
      readonly message: string;
      /** What it had logged, where the guest could still say so: not of a heap that is gone. */
      readonly logs?: readonly GuestLog[];
    }
  /**
   * The isolate or its cell ended before the turn did. `wasRunning`: it may have been inside the guest; false: it
   * certainly never entered it.
   */
  | {
      readonly kind: "lost";
      readonly code: "SANDBOX_CELL_LOST" | "SANDBOX_DISPOSED";
      readonly wasRunning: boolean;
      readonly message: string;
    };

/** A turn asks the outside and waits for `Resident.answer`. */
export interface TurnAsk {
  readonly turn: number;
  readonly ask: number;
  readonly verb: string;
  /** The step whose function asks, "" outside of steps. */
  readonly step: string;
  readonly text: string;
}

/** A turn waits for rows of its own tables; the answer is `rowText`, `presenceText` or `pageText`, as the query's kind says. */
export interface TurnRead {
  readonly turn: number;
  readonly ask: number;
  readonly query: RowQuery;
}

/** What the outside says to an ask. */
export type TurnAnswer =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** One agent to be placed in a cell. */
export interface PlaceOptions {
  /** Id, for blame and `ctx.self`. */
  readonly agent: string;
  /** Who it is among the suspects of a cell that was lost, where several stand for one agent. Default: `agent`. */
  readonly suspectName?: string | undefined;
  readonly artifact: { readonly name: string; readonly hash: string; readonly code: string };
  readonly limits: IsolateLimits;
  /** What `ctx.text` is. */
  readonly text: string;
  /** What the life before handed over, and what is counted of its context: made by `lifeText`. */
  readonly life: string;
  /** What `ctx.host` shows: made by `surfaceText`. Default: nothing is granted. */
  readonly host?: string | undefined;
  /** What `crypto` draws from while the module is evaluated: 64 hexadecimal digits. Default: the seed 0. */
  readonly entropy?: string | undefined;
  /** The whole state as encoded texts. Read once, while placing. */
  readonly state: Iterable<readonly [key: string, text: string]>;
  /** A turn waits for an answer from outside. Answer with `resident.answer()`. */
  readonly onAsk: (ask: TurnAsk) => void;
  /** A turn waits for rows. Answer with `resident.answer()`, not faster than `resident.unread` allows. */
  readonly onRead: (read: TurnRead) => void;
  /** The agent has taken an answer: there is room for another. */
  readonly onTaken: () => void;
  /** What the module logged while it was evaluated, whether it came to its end or not. */
  readonly onLogged?: (logs: readonly GuestLog[]) => void;
}
