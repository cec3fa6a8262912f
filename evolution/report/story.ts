/**
 * What happened in a search, put in order: each program that was run, beside the one it was made from. Pure.
 */
import type { SearchEvent } from "../population/events.ts";
import type { RunRecord } from "./record.ts";

/** Events of one type. */
export type EventOf<T extends SearchEvent["type"]> = Extract<SearchEvent, { readonly type: T }>;

/** A program that was run. */
export interface Program {
  readonly event: EventOf<"individual.evaluated">;
  /** Which one it was, from 0 on. A parent always has a smaller number. */
  readonly index: number;
  readonly parent: Program | undefined;
  /** It was asked all cases. */
  readonly isWhole: boolean;
}

/** A run, put in order. */
export interface Story {
  readonly started: EventOf<"run.started"> | undefined;
  /** In the order in which they were run. */
  readonly programs: readonly Program[];
  readonly byId: ReadonlyMap<string, Program>;
  readonly best: Program | undefined;
  readonly lastGeneration: EventOf<"generation.ended"> | undefined;
  readonly ended: EventOf<"run.ended"> | undefined;
  readonly record: RunRecord;
}

/** Puts a record in order. */
export function storyOf(record: RunRecord): Story {
  let started: Story["started"];
  let best: Program | undefined;
  let lastGeneration: Story["lastGeneration"];
  let ended: Story["ended"];
  const byId = new Map<string, Program>();
  for (const event of record.events) {
    if (event.type === "run.started") started = event;
    else if (event.type === "generation.ended") lastGeneration = event;
    else if (event.type === "run.ended") ended = event;
    else if (event.type === "individual.evaluated" && !byId.has(event.id)) {
      const isWhole = event.asked > 0 && event.asked >= (started?.cases ?? 0);
      const parent = byId.get(event.parents[0] ?? "");
      const program: Program = { event, index: byId.size, parent, isWhole };
      byId.set(event.id, program);
      if (event.isBest) best = program;
    }
  }
  return { started, programs: [...byId.values()], byId, best, lastGeneration, ended, record };
}

/** From the first parent to this program. */
export function lineOf(program: Program | undefined): readonly Program[] {
  const line: Program[] = [];
  for (let each = program; each !== undefined; each = each.parent) line.push(each);
  return line.toReversed();
}

/** What it scores above the one it was made from; 0 for a first parent, and for one that was not asked everything. */
export function gainOf({ event, parent, isWhole }: Program): number {
  return parent === undefined || !isWhole ? 0 : event.score - parent.event.score;
}

/** A first parent: it was given, not proposed. */
export function isSeed({ event }: Program): boolean {
  return event.mutator === "seed";
}
