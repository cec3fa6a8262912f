/**
 * What the evolution floor may do to an agent: look at its recorded turns, try code on a fork of it, swap its code
 * between two messages, and go back. Each change of code and state is one commit.
 *
 *   swap:   pause -> load candidate with the present state -> migrate -> [snapshot before, state, code] in one commit -> resume
 *   adopt:  pause -> point the agent's name at a shadow's branch, with its code, in one commit -> load from it -> resume
 */
import type { Artifact } from "../sandbox/index.ts";
import type { Op, Point } from "../vault/index.ts";
import type { Agent } from "./agent.ts";
import type { AgentHost } from "./agent-host.ts";
import type { ExitNotice } from "./monitors.ts";
import type { AgentSpec, CurrentCode } from "./agent-record.ts";
import { codeOps, following, readArtifact, specOp } from "./agent-record.ts";
import { currentOf, VERDICT_METHOD } from "./current-code.ts";
import type { Profile } from "./cell-groups.ts";
import { RuntimeError } from "./errors.ts";
import { readableState } from "./readable-state.ts";
import { renew } from "./relocation.ts";
import { Shadow } from "./shadow.ts";
import type { Simulate } from "./shadow-effects.ts";
import { movePlacesOps } from "./topic-place.ts";
import type { RecordedTurn } from "./traffic.ts";
import type { Answerer } from "./traffic-replies.ts";
import type { TrafficBounds } from "./traffic-ring.ts";

/** The result of a swap. */
export interface Swapped {
  /** Label of the snapshot taken just before, in the same commit. */
  readonly label: string;
  /** How long no message could be started. */
  readonly pauseMs: number;
  /** Log position of the commit; every later turn ran on the new code. */
  readonly seq: number;
  /** Whether `migrate` ran. */
  readonly isMigrated: boolean;
}

/** What `swap` puts in the place of what runs. */
export interface SwapOptions {
  readonly artifact: Artifact;
  /** Name of the snapshot taken just before. */
  readonly label: string;
  readonly profile?: Profile;
  /** Refuse where another version than this one runs by then. */
  readonly expect?: string;
  /** The owner's doing: its settings and text from here on, and the hash of the code the owner gave. */
  readonly deploy?: { readonly spec: AgentSpec; readonly originHash: string };
}

/** What goes on trial, and how. */
export interface TrialOptions {
  readonly artifact: Artifact;
  readonly at?: Point;
  /** Start from another shadow's state instead of the agent's. */
  readonly of?: Shadow;
  /** Start from no state, as a new agent would; `begin` then makes the first one. */
  readonly isNewborn?: boolean;
  readonly profile?: Profile;
  /** With the limits and the text of this one instead of the agent's. */
  readonly spec?: AgentSpec;
  /**
   * In a cell of its own. Default: with other shadows of this agent, which an exploit of the engine in one of them reaches. Give it
   * to what is tried once more after its cell was lost among others, and to what may be adopted.
   */
  readonly isAlone?: boolean;
  /** Answers what the live turn did not ask. Default: RUNTIME_EFFECT_REFUSED. */
  readonly simulate?: Simulate;
}

/** An agent as the evolution floor sees it. */
export class AgentControl {
  readonly id: string;
  readonly #agent: Agent;
  readonly #host: AgentHost;

  constructor(agent: Agent, host: AgentHost) {
    this.id = agent.id;
    this.#agent = agent;
    this.#host = host;
  }

  /** The current code and what is known of it. Throws RUNTIME_AGENT_UNKNOWN before the first start. */
  get code(): { readonly artifact: Artifact; readonly current: CurrentCode } {
    const { artifact, current } = this.#agent;
    if (artifact === undefined || current === undefined) {
      throw new RuntimeError("RUNTIME_AGENT_UNKNOWN", `${this.id} was never started`, { details: { agent: this.id } });
    }
    return { artifact, current };
  }

  /** How it is supervised and limited, and its text. */
  get spec(): AgentSpec {
    return this.#agent.spec;
  }

  /** Log position of its newest change. */
  get seq(): number {
    return this.#agent.branch.head;
  }

  /** Wall time, in ms. */
  get nowMs(): number {
    return this.#host.clock.now();
  }

  /** Methods of the life that serves now; empty while the agent sleeps. */
  get methods(): readonly string[] {
    const { life } = this.#agent;
    return life?.isLoaded === true ? life.loaded.methods.map(({ name }) => name) : [];
  }

  /** The newest turns, oldest first; consecutive within a run (`runsOf`). What is kept in the vault is among them. */
  turns(): readonly RecordedTurn[] {
    return this.#agent.traffic.turns();
  }

  /** Calls `listener` with every turn once it is durable, and answered unless its reply is withheld (`answerWith`). */
  onTurn(listener: (turn: RecordedTurn) => void): () => void {
    return this.#agent.traffic.mirror(listener);
  }

  /**
   * Keeps its turns in the vault until the returned function is called: the newest `turnsMax` (default 1,000) within `bytesMax`
   * (default 4 MiB), those that memory holds already included. After the end of the process all but the newest 32, or those
   * of the last 10 seconds, are there. Throws RUNTIME_OPTIONS_INVALID.
   */
  keepTraffic(bounds?: Partial<TrafficBounds>): () => void {
    return this.#host.traffic.keep(this.id, bounds);
  }

  /**
   * Asks `answerer` about each call that ended well, once it is durable and before its reply leaves. Where it returns a promise
   * the reply is withheld until that settles, or until the life that ran the turn ends, or the returned function is called.
   * A text is the reply; anything else lets the agent's own reply leave, and a rejection or a text that is no reply is an event,
   * `answer.refused`. A call that is repeated with its id joins one that is withheld; later it gets the agent's own reply, which
   * is what the vault holds. Ends with this deployment: who spawns the agent again asks again. Throws RUNTIME_ANSWERER_EXISTS.
   */
  answerWith(answerer: Answerer): () => void {
    const agent = this.#agent;
    return agent.replies.ask({
      agent: this.id,
      answerer,
      bytesMax: () => agent.spec.limits.replyBytesMax,
      refused: (method, reason) => this.#host.events.emit({ type: "answer.refused", agent: this.id, method, reason }),
    });
  }

  /** Calls `listener` at every exit. */
  onExit(listener: (notice: ExitNotice) => void): () => void {
    return this.#agent.monitors.add(listener);
  }

  /** True when it was started in this runtime and serves, or will again by itself. */
  get isTaken(): boolean {
    return this.#agent.isTaken;
  }

  /** Its named states, oldest first. */
  snapshots(): readonly { readonly label: string; readonly seq: number }[] {
    return this.#agent.branch.snapshots();
  }

  /** Why the state of that name cannot be gone back to; `undefined` when it can. Reads all of it. */
  async problemAt(label: string): Promise<string | undefined> {
    const found = await readableState(this.#agent.branch, { label });
    return "why" in found ? found.why : undefined;
  }

  /** The version that was current before this one. `undefined` where there was none. Throws VAULT_PAGE_DAMAGED. */
  get codeBefore(): { readonly artifact: Artifact; readonly current: CurrentCode } | undefined {
    const { before, originHash } = this.code.current;
    const artifact = before === undefined ? undefined : readArtifact(this.#agent.branch, before.hash);
    return before === undefined || artifact === undefined
      ? undefined
      : { artifact, current: { ...before, originHash } };
  }

  /** Whether its code has a handler for what it is told of its proposals; known also while it sleeps. */
  get hearsVerdicts(): boolean {
    return this.#agent.current?.hears?.includes(VERDICT_METHOD) === true || this.methods.includes(VERDICT_METHOD);
  }

  /**
   * Gives it another life on the same code and state, between two messages; callers notice nothing. False where none is up. Rejects
   * with the error of the load, or RUNTIME_AGENT_DOWN; the life before then goes on, if there is one.
   */
  async reload(): Promise<boolean> {
    const { life } = this.#agent;
    return life !== undefined && (await renew(this.#agent, life));
  }

  /**
   * Starts `artifact` on a fork of the agent's state at `at` (default: now). The live agent is not touched and does not wait.
   * Rejects with the sandbox's error when the code does not load, and leaves nothing behind.
   */
  async shadow(options: TrialOptions): Promise<Shadow> {
    const { vault, pool, clock } = this.#host;
    const branch = options.of?.branch ?? this.#agent.branch;
    const spec = options.spec ?? this.#agent.spec;
    const { limits, domain, host } = spec;
    return Shadow.start({
      vault,
      pool,
      clock,
      agent: this.id,
      artifact: options.artifact,
      profile: options.profile ?? "hardened",
      domain,
      isAlone: options.isAlone,
      limits,
      text: options.spec?.text,
      host: this.#host.broker.surface(host),
      simulate: options.simulate,
      from:
        options.isNewborn === true
          ? { newborn: spec }
          : { state: options.at === undefined ? branch : await branch.at(options.at) },
    });
  }

  /**
   * Makes `artifact` the agent's code, and the migrated state its state, in one durable commit between two messages.
   * Rejects with RUNTIME_SWAP_FAILED when it does not load or migrate: then the version before it still serves, its
   * state byte for byte the same. So does a swap that `expect`s another version than the one that runs by then. Rejects with
   * RUNTIME_AGENT_DOWN when it is stopped.
   */
  async swap(options: SwapOptions): Promise<Swapped> {
    const { artifact, label, expect, deploy } = options;
    let before = this.code.current;
    let isMigrated = false;
    let seq = 0;
    const pauseMs = await this.#agent.replace(async (loader) => {
      before = this.code.current; // a roll-back or a restore may have been before us
      await this.#guarded(artifact, () => this.#requireRunning(expect ?? before.hash));
      const life = await this.#guarded(artifact, () =>
        loader.load({
          artifact,
          profile: options.profile ?? "hardened",
          ...(deploy === undefined ? {} : { spec: deploy.spec }),
        }),
      );
      try {
        isMigrated = life.loaded.version !== before.version;
        const ops = isMigrated
          ? await this.#guarded(artifact, () => loader.migrationOps(life, before.version))
          : ([] as readonly Op[]);
        const branch = this.#agent.branch.id;
        const current = following(currentOf(life, deploy?.originHash ?? before.originHash), before, label);
        const writes = [...ops, ...codeOps(artifact, current), ...(deploy === undefined ? [] : [specOp(deploy.spec)])];
        const commit = life.commit(
          [
            { type: "snapshot", branch, label },
            { type: "write", branch, ops: writes, epoch: life.fence() },
          ],
          "disk",
        );
        await commit.durable;
        seq = commit.seq;
        if (deploy !== undefined) this.#agent.reconfigure(deploy.spec);
        return life;
      } catch (error) {
        life.discard();
        throw error;
      }
    });
    // What it answered before is no measure for what its owner changed.
    if (isMigrated || deploy !== undefined) this.#agent.traffic.clear();
    this.#host.events.emit(
      artifact.hash === before.hash
        ? { type: "agent.reconfigured", agent: this.id, label, pauseMs }
        : { type: "code.swapped", agent: this.id, from: before.hash, to: artifact.hash, label, pauseMs },
    );
    return { label, pauseMs, seq, isMigrated };
  }

  /**
   * Goes back to the version before: the shadow that ran it on the same messages becomes the agent, with its own state.
   * One durable commit moves the name and the code. The shadow's cell ends; its branch lives on as the agent's.
   * `caughtUp` is awaited once no message is in work and every turn so far was published: the shadow must have run them all
   * when it resolves. Rejects with RUNTIME_SWAP_FAILED, and changes nothing, when its owner deployed or restored meanwhile, or
   * when the shadow was not alone in its cell: what others could reach becomes nobody's state.
   */
  async adopt(
    shadow: Shadow,
    options: { readonly code: CurrentCode; readonly caughtUp: () => Promise<void> },
  ): Promise<{ readonly pauseMs: number }> {
    if (!shadow.isAlone) throw this.#notAlone();
    const before = this.code.current;
    const { spec } = this.#agent;
    const { vault } = this.#host;
    const { code } = options;
    const pauseMs = await this.#agent.replace(async (loader) => {
      await loader.settled();
      await options.caughtUp();
      if (this.#agent.spec !== spec) throw this.#overtaken();
      const { branch, artifact } = shadow;
      const epoch = branch.fence();
      const { durable } = vault.commit(
        [
          {
            type: "write",
            branch: branch.id,
            // The shadow handled the same publications, but moved no place in a topic: those are the live agent's.
            ops: [...codeOps(artifact, code), ...movePlacesOps(this.#agent.branch, branch)],
            epoch,
          },
          { type: "name", name: shadow.name, branch: undefined, expect: branch.id },
          { type: "name", name: this.id, branch: branch.id, expect: this.#agent.branch.id },
        ],
        { durability: "disk" },
      );
      await durable;
      const life = await loader.loadFrom(branch);
      life.fence();
      return life;
    });
    await shadow.keepBranch();
    this.#agent.traffic.clear();
    this.#host.events.emit({
      type: "code.swapped",
      agent: this.id,
      from: before.hash,
      to: code.hash,
      label: "rollback",
      pauseMs,
    });
    return { pauseMs };
  }

  /** The owner's word is newer than the wish to go back. */
  #overtaken(): RuntimeError {
    const text = `${this.id} was deployed or restored by its owner meanwhile`;
    return new RuntimeError("RUNTIME_SWAP_FAILED", text, { details: { agent: this.id } });
  }

  #notAlone(): RuntimeError {
    const text = `${this.id} takes over no shadow that shared its cell with code on trial: start it with isAlone`;
    return new RuntimeError("RUNTIME_SWAP_FAILED", text, { details: { agent: this.id } });
  }

  async #requireRunning(hash: string): Promise<void> {
    if (this.code.current.hash === hash) return;
    throw new Error("the version it was tried against no longer runs; propose it again");
  }

  async #guarded<T>(artifact: Artifact, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#host.events.emit({ type: "code.refused", agent: this.id, hash: artifact.hash, message });
      throw new RuntimeError("RUNTIME_SWAP_FAILED", `${this.id} keeps its code: ${message}`, {
        cause: error,
        details: { agent: this.id, hash: artifact.hash },
      });
    }
  }
}
