/**
 * Who waits for whom: a graph with an edge from agent to agent for every question that a running turn has open. An agent
 * runs one turn at a time and a turn ends when all its questions are answered, so a ring of such edges can never come to an
 * end: the question that would close one is refused before it is asked, whoever of the ring was first.
 *
 *   a's turn asks b:  a --> b      b's turn asks a:  b --> a would close the ring  a -> b -> a
 *
 * Invariants
 * 1. There is never a ring in the graph: whoever adds an edge asked `ring` first, in the same breath.
 * 2. An agent without open questions takes no space.
 * 3. Asking costs one look-up when the agent that would be called waits for nobody, and else at most the edges that can be
 *    reached from it.
 */

/** The open questions between agents. Pure data: no clock, no promise. */
export class WaitFor {
  /** For each agent that waits, whom it waits for and with how many questions. */
  readonly #waits = new Map<string, Map<string, number>>();

  /** Agents that wait for somebody. */
  get size(): number {
    return this.#waits.size;
  }

  /**
   * The ring that a question of `from` to `to` would close, beginning and ending with `from`; undefined when it closes none.
   * The names in between are a shortest way from `to` back to `from`.
   */
  ring(from: string, to: string): readonly string[] | undefined {
    if (to === from) return [from, from];
    if (!this.#waits.has(to)) return undefined;
    const way = this.#way(to, from);
    return way === undefined ? undefined : [from, ...way];
  }

  /** A question is open. Returns what ends it; ending it twice is harmless. */
  add(from: string, to: string): () => void {
    const targets = this.#waits.get(from) ?? new Map<string, number>();
    this.#waits.set(from, targets);
    targets.set(to, (targets.get(to) ?? 0) + 1);
    let isOpen = true;
    return () => {
      if (isOpen) this.#remove(from, to);
      isOpen = false;
    };
  }

  #remove(from: string, to: string): void {
    const targets = this.#waits.get(from);
    const count = targets?.get(to);
    if (targets === undefined || count === undefined) throw new Error(`${from} does not wait for ${to}`);
    if (count > 1) targets.set(to, count - 1);
    else targets.delete(to);
    if (targets.size === 0) this.#waits.delete(from);
  }

  /** Breadth first, so that the ring that is named is the shortest. */
  #way(start: string, goal: string): readonly string[] | undefined {
    const cameFrom = new Map<string, string | undefined>([[start, undefined]]);
    for (const agent of cameFrom.keys()) {
      for (const next of this.#waits.get(agent)?.keys() ?? []) {
        if (cameFrom.has(next)) continue;
        cameFrom.set(next, agent);
        if (next === goal) return wayTo(goal, cameFrom);
      }
    }
    return undefined;
  }
}

/** The sentence that names a ring: "a waits for b waits for a". */
export function ringText(ring: readonly string[]): string {
  return ring.join(" waits for ");
}

function wayTo(goal: string, cameFrom: ReadonlyMap<string, string | undefined>): readonly string[] {
  const way: string[] = [];
  for (let agent: string | undefined = goal; agent !== undefined; agent = cameFrom.get(agent)) way.unshift(agent);
  return way;
}
