/**
 * What a user holds of a supervisor: a reference by path, with OTP's calls under OTP's names. Each call finds the supervisor
 * by its path again, so a reference survives whatever happens to the one behind it.
 */
import type { AnyAgentDefinition } from "../sandbox/index.ts";
import type { AgentRef } from "./ref.ts";
import type { AgentChildSpec, ChildSpec, SupervisorSpec } from "./supervise-spec.ts";
import type { RestartType, Shutdown } from "./supervision/contract.ts";

/** One line of `whichChildren`. */
export interface ChildLine {
  readonly id: string;
  readonly path: string;
  readonly status: "up" | "stopped" | "restarting";
  readonly type: "agent" | "supervisor";
}

/** What `countChildren` counts. */
export interface ChildCounts {
  /** Children that are known, running or not. */
  readonly specs: number;
  readonly active: number;
  readonly supervisors: number;
  readonly agents: number;
}

/** How a child is supervised, defaults filled in. */
export interface ChildSettings {
  readonly id: string;
  readonly restart: RestartType;
  readonly shutdownMs: Shutdown;
  readonly significant: boolean;
  readonly type: "agent" | "supervisor";
}

/** A reference to a supervisor. Every call rejects with RUNTIME_SUPERVISOR_UNKNOWN where there is none of this path. */
export interface SupervisorRef {
  /** Its path. */
  readonly id: string;
  /**
   * Adds a child at the end and starts it. Resolves with its reference when it is up. It is known until this supervisor
   * itself restarts. Rejects with RUNTIME_CHILD_EXISTS, RUNTIME_CHILDREN_EXCEEDED, RUNTIME_CHILD_START_FAILED (it is not
   * known then), RUNTIME_OPTIONS_INVALID, RUNTIME_SUPERVISOR_DOWN.
   */
  startChild<Def extends AnyAgentDefinition = AnyAgentDefinition>(spec: AgentChildSpec): Promise<AgentRef<Def>>;
  startChild(spec: SupervisorSpec): Promise<SupervisorRef>;
  /** Under a supervisor with a template: what the template does not say, at least an id. */
  startChild<Def extends AnyAgentDefinition = AnyAgentDefinition>(
    spec: Partial<AgentChildSpec> & { readonly id: string },
  ): Promise<AgentRef<Def>>;
  /** Starts a child that is stopped; resolves when it is up. Rejects with RUNTIME_CHILD_UNKNOWN, RUNTIME_CHILD_RUNNING, RUNTIME_CHILD_RESTARTING, RUNTIME_CHILD_START_FAILED, RUNTIME_SUPERVISOR_DOWN. */
  restartChild(id: string): Promise<void>;
  /** Stops a child in order; it stays known, unless it is temporary or dynamic, and is not restarted. Rejects with RUNTIME_CHILD_UNKNOWN, RUNTIME_SUPERVISOR_DOWN. */
  terminateChild(id: string): Promise<void>;
  /** Forgets a child that is stopped; what it remembers stays in the vault until `runtime.drop`. Rejects with RUNTIME_CHILD_UNKNOWN, RUNTIME_CHILD_RUNNING, RUNTIME_CHILD_RESTARTING, RUNTIME_SUPERVISOR_DOWN. */
  deleteChild(id: string): Promise<void>;
  /** How a child is supervised. Rejects with RUNTIME_CHILD_UNKNOWN, RUNTIME_SUPERVISOR_DOWN. */
  getChildSpec(id: string): Promise<ChildSettings>;
  /** All children, the newest first. Rejects with RUNTIME_SUPERVISOR_DOWN. */
  whichChildren(): Promise<readonly ChildLine[]>;
  /** How many there are. Rejects with RUNTIME_SUPERVISOR_DOWN. */
  countChildren(): Promise<ChildCounts>;
  /** Another definition for a supervisor that runs: nothing is started and nothing stopped by it. Children that are new in it are there, stopped. Rejects with RUNTIME_OPTIONS_INVALID, RUNTIME_SUPERVISOR_DOWN. */
  upgrade(spec: SupervisorSpec): Promise<void>;
  /** Stops its children in reverse order, then itself; the one above does not restart it. Resolves when all of it is down. */
  stop(): Promise<void>;
  /** Starts a supervisor that is down, as it was defined last, with a clean window. Rejects with RUNTIME_CHILD_START_FAILED; under another supervisor as `restartChild` there. */
  revive(): Promise<void>;
}

/** What can be added to a supervisor. */
export type AnyChildSpec = ChildSpec | (Partial<AgentChildSpec> & { readonly id: string });
