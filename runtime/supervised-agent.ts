/**
 * An agent under a supervisor: the keeper that hands its lives on to the supervisor, and carries out what that wants.
 *
 *   supervisor                                                agent
 *     start ---> deploy (new code) | launch (known code) ---->  ... started | exited --> failed
 *     signal --> finish (last words) | killNow -------------->  ... exited
 *     settle --> it stays down: its waiting messages are failed
 *
 * Between its end and the supervisor's next word it is held: its messages wait.
 */
import type { Agent } from "./agent.ts";
import type { ExitReason } from "./exit-reason.ts";
import { errorReason } from "./faults.ts";
import type { Keeper } from "./keeper.ts";
import { infoOf } from "./make-ref.ts";
import type { ParsedSpawnOptions } from "./options.ts";
import type { AgentRegistry } from "./registry.ts";
import type { AgentPlan } from "./supervise-spec.ts";
import type { Settling, StartReport, SupervisedChild } from "./supervised-child.ts";
import type { AgentNode } from "./tree.ts";

/** What the supervisor does for a child whose owner asks by the agent's own reference. */
export interface OwnerRequests {
  terminate(): Promise<void>;
  restart(): Promise<void>;
}

/** Keeps one agent for its supervisor. */
export class SupervisedAgent implements Keeper, SupervisedChild<AgentPlan> {
  /** Its supervisor gives it its lives. */
  readonly isFree = false;
  readonly path: string;
  readonly #agents: AgentRegistry;
  readonly #owner: OwnerRequests;
  #state: "down" | "starting" | "up" = "down";
  #report: StartReport | undefined;
  /** What runs under this name, as it was deployed here; undefined before the first start. */
  #deployed: ParsedSpawnOptions | undefined;
  /** What is being deployed, until it is up. */
  #deploying: ParsedSpawnOptions | undefined;
  /** What the supervisor has asked for and not got yet: an agent that comes up meanwhile must still end. */
  #due: "shutdown" | "kill" | undefined;
  /** Orderly ends that were asked for and wait for their turn. */
  #finishing = 0;

  constructor(path: string, parts: { readonly agents: AgentRegistry; readonly owner: OwnerRequests }) {
    this.path = path;
    this.#agents = parts.agents;
    this.#owner = parts.owner;
  }

  // ------------------------------------------------------------------ for the supervisor

  start({ options }: AgentPlan, report: StartReport): void {
    this.#state = "starting";
    this.#report = report;
    this.#due = undefined;
    const { agent } = this;
    if (agent !== undefined && this.#deployed !== undefined && isSameDeployment(this.#deployed, options))
      return agent.launch("now");
    // Messages that wait were meant for the code before; their callers are told.
    if (agent?.phase === "restarting") agent.settle({ name: "shutdown", message: "it is deployed anew" }, false);
    void this.#deploy(options); // owns its outcome: it never rejects
  }

  signal(reason: "shutdown" | "kill"): void {
    const { agent } = this;
    this.#due = reason;
    if (agent === undefined || this.#deploying !== undefined) return; // once it is up
    if (reason === "kill") agent.killNow("killed by its supervisor");
    else this.#finish(agent);
  }

  /** Its exit says when it is done. What is asked of one life is not asked of the next. */
  #finish(agent: Agent): void {
    const report = this.#report;
    const isWanted = (): boolean => this.#due !== undefined && this.#report === report;
    const done = agent.finish({ name: "shutdown", message: "stopped by its supervisor" }, isWanted);
    this.#finishing += 1;
    void done.finally(() => (this.#finishing -= 1)); // never rejects
  }

  hold(): void {
    this.agent?.hold();
  }

  settle(reason: ExitReason, { isForgotten }: Settling): number {
    const { agent } = this;
    if (agent === undefined || agent.phase === "down") return 0;
    agent.settle(reason, isForgotten);
    return 1;
  }

  describe(): AgentNode {
    const { agent } = this;
    return agent === undefined ? { id: this.path, status: "down" } : infoOf(agent);
  }

  /** The agent that was deployed here, while it is known. */
  get agent(): Agent | undefined {
    return this.#deployed === undefined && this.#deploying === undefined ? undefined : this.#agents.peek(this.path);
  }

  async #deploy(options: ParsedSpawnOptions): Promise<void> {
    this.#deploying = options;
    try {
      await this.#agents.deploy(options, this);
    } catch (error) {
      this.#deploying = undefined;
      if (this.#state === "starting") this.#failed(errorReason(error), error);
    }
  }

  #failed(reason: ExitReason, error?: unknown): void {
    this.#state = "down";
    this.#due = undefined;
    this.#report?.failed(reason, error);
  }

  // ------------------------------------------------------------------ for the agent

  started(): void {
    // Otherwise it was re-homed, which is none of the supervisor's business.
    if (this.#state === "starting") {
      this.#state = "up";
      this.#deployed = this.#deploying ?? this.#deployed;
      this.#deploying = undefined;
      this.#report?.started();
    }
    if (this.#due === "kill" || (this.#due === "shutdown" && this.#finishing === 0)) this.signal(this.#due);
  }

  exited(reason: ExitReason): void {
    if (this.#state === "starting") return this.#failed(reason);
    this.#state = "down";
    this.#due = undefined;
    this.#report?.exited(reason);
  }

  adopt(): boolean {
    return this.#state === "up";
  }

  stop(): Promise<void> {
    return this.#owner.terminate();
  }

  revive(): Promise<void> {
    return this.#owner.restart();
  }

  retire(): void {
    // What could not begin is told by the deployment, which rejects.
  }

  reconfigure(): void {
    // How it is supervised is said by its supervisor's definition alone.
  }
}

/** Whether the same code and the same limits are wanted, so that the agent only has to be launched. */
function isSameDeployment(before: ParsedSpawnOptions, after: ParsedSpawnOptions): boolean {
  return before === after || JSON.stringify(before) === JSON.stringify(after);
}
