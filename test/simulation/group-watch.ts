/**
 * The orders in which a supervisor ends and starts its children: with one that fell, those that its strategy names end from
 * the right, and no one begins before all of them have ended.
 *
 * A supervisor that is told to stop while it starts a child tells that one at once (supervisor.ts, `#hurry`): it ends when it is
 * up, in whatever order. Where a group restart comes in between, the fallen child fell before that: it waited in the mailbox.
 */
import type { PlanariaEvent } from "../../runtime/index.ts";
import type { KnownSupervisor } from "./topology.ts";

interface Round {
  /** Children that must end first, and have not: places in the order of start. */
  readonly due: Set<number>;
  /** The last of them that ended in order. */
  last: number;
  /** Children that came up after the fallen one had ended: they may have been told to end as they started. */
  readonly hurried: ReadonlySet<number>;
}

/** See the header. */
export class GroupWatch {
  readonly #supervisors: ReadonlyMap<string, KnownSupervisor>;
  readonly #parents = new Map<string, KnownSupervisor>();
  readonly #up = new Set<string>();
  /** Which event was the last start, and the last end, of a child. */
  readonly #startedAt = new Map<string, number>();
  readonly #endedAt = new Map<string, number>();
  #count = 0;
  readonly #rounds = new Map<string, Round>();
  readonly #wrong: (text: string) => void;

  constructor(supervisors: readonly KnownSupervisor[], wrong: (text: string) => void) {
    this.#wrong = wrong;
    this.#supervisors = new Map(supervisors.map((each) => [each.path, each]));
    for (const each of supervisors) for (const child of each.children) this.#parents.set(child, each);
  }

  /** Takes the next event. */
  take(event: PlanariaEvent): void {
    this.#count += 1;
    switch (event.type) {
      case "agent.started":
        return this.#started(event.agent);
      case "supervisor.started":
        return this.#started(event.supervisor);
      case "agent.exited":
        return this.#ended(event.agent, event.reason.message === "stopped by its supervisor");
      case "agent.stopped":
        return this.#ended(event.agent, false);
      case "supervisor.exited":
        this.#rounds.delete(event.supervisor);
        return this.#ended(event.supervisor, false);
      case "supervisor.restart_begun":
        return this.#begin(event.supervisor, event.child);
      case "supervisor.breached":
      case "supervisor.child_failed":
      case "supervisor.shutdown_begun":
        this.#rounds.delete(event.supervisor);
        return;
      default:
        return;
    }
  }

  #begin(path: string, child: string): void {
    const supervisor = this.#supervisors.get(path);
    if (supervisor === undefined) return;
    const fallen = supervisor.children.indexOf(child);
    this.#rounds.delete(path);
    if (supervisor.strategy === "one_for_one" || fallen < 0) return;
    const from = supervisor.strategy === "one_for_all" ? 0 : fallen + 1;
    const due = supervisor.children.flatMap((each, index) => (index >= from && this.#up.has(each) ? [index] : []));
    const fellAt = this.#endedAt.get(child) ?? this.#count;
    const hurried = due.filter((index) => (this.#startedAt.get(supervisor.children[index] ?? "") ?? 0) > fellAt);
    this.#rounds.set(path, { due: new Set(due), last: Number.POSITIVE_INFINITY, hurried: new Set(hurried) });
  }

  #ended(path: string, isAsked: boolean): void {
    this.#up.delete(path);
    this.#endedAt.set(path, this.#count);
    const parent = this.#parents.get(path);
    const round = parent === undefined ? undefined : this.#rounds.get(parent.path);
    if (parent === undefined || round === undefined) return;
    const index = parent.children.indexOf(path);
    round.due.delete(index);
    if (!isAsked || round.hurried.has(index)) return;
    if (index > round.last)
      this.#wrong(`${path} was stopped after ${parent.children[round.last]}, which began before it`);
    round.last = index;
  }

  #started(path: string): void {
    const parent = this.#parents.get(path);
    const round = parent === undefined ? undefined : this.#rounds.get(parent.path);
    const isNew = !this.#up.has(path);
    this.#up.add(path);
    if (isNew) this.#startedAt.set(path, this.#count);
    if (parent === undefined || round === undefined || !isNew) return;
    const left = [...round.due].map((index) => parent.children[index]);
    if (left.length > 0) this.#wrong(`${path} begins, and ${left.join(", ")} did not end with its group`);
    this.#rounds.delete(parent.path);
  }
}
