/** What the sandbox tells: the life of cells, and layers of isolation that should be there and are not. */
import type { CellExit } from "./cell-exit.ts";

/** Past tense; each change emits exactly one. `cell` is the id of a `Cell`. */
export type SandboxEvent =
  /** The cell is ready for placements. `startMs` counts from the decision to start it. */
  | {
      readonly type: "cell.spawned";
      readonly cell: string;
      readonly pid: number;
      readonly layers: readonly string[];
      readonly startMs: number;
    }
  /** The cell's process is gone. */
  | { readonly type: "cell.exited"; readonly cell: string; readonly pid: number; readonly exit: CellExit }
  /** What the cell's process printed, bounded; `isTruncated` when it printed more. */
  | { readonly type: "cell.stderr"; readonly cell: string; readonly text: string; readonly isTruncated: boolean }
  /** `osSandbox: "auto"` asked for a layer that does not work here; told once per process and layer. */
  | { readonly type: "sandbox.layer_missing"; readonly layer: string; readonly detail: string };
