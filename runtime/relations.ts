/**
 * What agents are to each other: parents and subagents, linked, watched. One door for the runtime to both rooms, and the
 * verbs by which agents speak of it.
 *
 *   ctx.spawn, stop, kill                     --(questions)--> Subagents
 *   ctx.link, unlink, monitor, demonitor      --(outbox)-----> ExitSignals
 *   an agent exits --> ExitSignals, then Subagents            an agent stops --> Subagents
 */
import { parseName } from "../sandbox/index.ts";
import type { Action, Clock, Vault } from "../vault/index.ts";
import type { Kin } from "./agent-host.ts";
import { ExitSignals } from "./exit-signals.ts";
import type { EventStream } from "./events.ts";
import type { ExitReason } from "./exit-reason.ts";
import type { ParsedSpawnOptions } from "./options.ts";
import type { AgentRegistry } from "./registry.ts";
import type { Router } from "./router.ts";
import { Subagents } from "./subagents.ts";

/** What relations need of their runtime. */
export interface RelationsOptions {
  readonly vault: Vault;
  readonly clock: Clock;
  readonly events: EventStream;
  readonly agents: AgentRegistry;
  readonly router: Router;
  /** What goes from other branches in the commit that drops an agent. */
  readonly departure: (id: string) => readonly Action[];
  /** The runtime closes: agents are stopped, which is no end of theirs. */
  readonly isClosing: () => boolean;
}

/** The relations between the agents of one runtime. */
export class Relations implements Kin {
  readonly #isClosing: () => boolean;
  readonly #subagents: Subagents;
  readonly #signals: ExitSignals;

  constructor(options: RelationsOptions) {
    const { events, agents, router } = options;
    this.#isClosing = options.isClosing;
    this.#subagents = new Subagents(options);
    this.#signals = new ExitSignals({
      events,
      agent: (id) => agents.get(id),
      peek: (id) => agents.peek(id),
      deliver: (id, letter) => void router.deliver(id, letter),
    });
    this.#offer(router);
    // A life that begins may have other code than the one before.
    events.subscribe(({ event }) => event.type === "agent.started" && this.#signals.changed(event.agent));
  }

  /** From here on `ctx.spawn({ definition: name })` starts this. */
  define(definition: ParsedSpawnOptions): void {
    this.#subagents.define(definition);
  }

  /** Learns at opening whose subagents sleep in the vault, and removes those that nobody owns. */
  async sweep(): Promise<void> {
    await this.#subagents.sweep();
  }

  has(id: string): boolean {
    return this.#subagents.has(id);
  }

  /** The agent at the top of the tree of this one; itself, where it is nobody's subagent. */
  root(id: string): string {
    return this.#subagents.root(id);
  }

  async stopping(id: string, ending: Parameters<Kin["stopping"]>[1]): Promise<void> {
    await this.#subagents.stopping(id, ending);
  }

  exited(id: string, reason: ExitReason): void {
    if (this.#isClosing()) return;
    this.#signals.exited(id, reason);
    this.#subagents.exited(id);
  }

  /** An agent is down for good and its name was given up: a subagent is gone from the vault too. */
  forgotten(id: string): void {
    this.#subagents.gone(id);
  }

  /** An exit signal from the program; see `AgentRef.exit`. */
  signal(id: string, reason: string): void {
    this.#signals.signal(id, reason);
  }

  #offer(router: Router): void {
    const [subagents, signals] = [this.#subagents, this.#signals];
    router.provide("spawn", (agent, text) => subagents.spawn(agent, text));
    router.provide("stop", (agent, child) => subagents.stop(agent, child));
    router.provide("kill", (agent, child) => subagents.kill(agent, child));
    const say = (verb: string, act: (from: string, text: string) => void): void =>
      router.outgoing.provide(verb, ({ agent }, text) => ({
        actions: [],
        leave: signals.later(agent, () => act(agent, text)),
      }));
    say("link", (from, to) => signals.link(from, parseName(to)));
    say("unlink", (from, to) => signals.unlink(from, to));
    say("monitor", (from, text) => signals.monitor(from, text));
    say("demonitor", (from, ref) => signals.demonitor(from, ref));
  }
}
