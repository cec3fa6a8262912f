/**
 * The watched folders of one runtime: which folder an agent's definition belongs to, and their end with the runtime.
 */
import type { Clock } from "../vault/index.ts";
import type { Agent } from "./agent.ts";
import { RuntimeError } from "./errors.ts";
import type { EventStream } from "./events.ts";
import { parseWatchOptions } from "./options.ts";
import { Watch } from "./watch.ts";
import type { DefinitionHost } from "./watched-definition.ts";

/** What the watches need of their runtime. */
export interface WatchesHost extends Omit<DefinitionHost, "emit" | "statusOf"> {
  readonly clock: Clock;
  readonly events: EventStream;
  /** The agent of this name that was touched since the runtime opened. */
  peek(id: string): Pick<Agent, "phase" | "isTaken"> | undefined;
}

/** Opens and closes watches. */
export class Watches {
  readonly #host: WatchesHost;
  /** Also those that are not yet open: a runtime that closes meanwhile must end them. */
  readonly #watches = new Set<Watch>();
  readonly #owners = new Map<string, Watch>();
  #isClosed = false;

  constructor(host: WatchesHost) {
    this.#host = host;
  }

  /** Rejects with RUNTIME_OPTIONS_INVALID, RUNTIME_WATCH_FAILED. */
  async open(dir: unknown, options: unknown): Promise<Watch> {
    const host = this.#host;
    return await Watch.open(
      {
        clock: host.clock,
        events: host.events,
        parse: (given) => host.parse(given),
        statusOf: (id) => statusOf(host.peek(id)),
        deploy: (given) => host.deploy(given),
        control: (id) => host.control(id),
        emit: (event) => host.events.emit(event),
        claim: (id, watch) => this.#claim(id, watch),
        release: (id, watch) => {
          if (this.#owners.get(id) === watch) this.#owners.delete(id);
        },
        requireOpen: () => {
          if (this.#isClosed) throw new RuntimeError("RUNTIME_CLOSED", "the runtime was closed");
        },
        opened: (watch) => void this.#watches.add(watch),
        closed: (watch) => void this.#watches.delete(watch),
      },
      parseWatchOptions(dir, options),
    );
  }

  /** Ends every watch. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#watches].map((watch) => watch.close()));
  }

  #claim(id: string, watch: Watch): boolean {
    const owner = this.#owners.get(id) ?? watch;
    this.#owners.set(id, owner);
    return owner === watch;
  }
}

function statusOf(agent: Pick<Agent, "phase" | "isTaken"> | undefined): ReturnType<DefinitionHost["statusOf"]> {
  if (agent === undefined) return "none";
  if (agent.isTaken || agent.phase === "parked") return "running";
  return agent.phase === "down" ? "stopped" : "none"; // it sleeps in the vault
}
