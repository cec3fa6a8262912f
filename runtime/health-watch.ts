/**
 * The shell of `health.ts`: sees the cells, keeps the budget, and tells when a kill is withheld, once for each silence.
 */
import type { Cell } from "../sandbox/index.ts";
import type { Clock } from "../vault/index.ts";
import type { EventStream } from "./events.ts";
import type { SilenceKills } from "./health.ts";
import { judgeSilence } from "./health.ts";

/** What it needs. */
export interface HealthWatchOptions {
  readonly clock: Clock;
  readonly events: EventStream;
  /** Silence that makes a cell count as silent beside another one that is judged, in ms. */
  readonly remarkableMs: number;
  readonly cells: () => readonly Pick<Cell, "id" | "silentMs">[];
}

/** Judges silent cells. */
export class HealthWatch {
  readonly #options: HealthWatchOptions;
  #kills: SilenceKills = [];
  /** Cells whose silence was told, and for how long they had been silent when they were last seen. Those that are gone are forgotten. */
  #told = new Map<string, number>();

  constructor(options: HealthWatchOptions) {
    this.#options = options;
  }

  /** True when the silent cell may be killed; asked again at every look as long as it may not. */
  mayKill(cell: Pick<Cell, "id" | "silentMs">): boolean {
    const { clock, events, cells, remarkableMs } = this.#options;
    const live = cells();
    const { silentMs } = cell;
    const silentCount = live.filter(({ id, silentMs: ms }) => id === cell.id || ms >= remarkableMs).length;
    const verdict = judgeSilence(this.#kills, {
      atMs: clock.monotonicMs(),
      silentMs,
      liveCount: live.length,
      silentCount,
    });
    this.#told = new Map([...this.#told].filter(([id]) => live.some((each) => each.id === id)));
    if (verdict.type === "kill") {
      this.#kills = verdict.kills;
      return true;
    }
    const isTold = (this.#told.get(cell.id) ?? Infinity) <= silentMs; // less than before: it has spoken meanwhile
    this.#told.set(cell.id, silentMs);
    if (isTold) return false;
    const { reason } = verdict;
    const event = { cell: cell.id, reason, silentMs: Math.round(silentMs), silentCount, liveCount: live.length };
    events.emit({ type: "cell.kill_withheld", ...event });
    return false;
  }
}
