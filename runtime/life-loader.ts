/**
 * How an agent gets a life: its current code, or one that shall become current, with the state of its branch, in a cell.
 *
 * Invariant: a life is loaded only after every commit of the one before is settled, so it never starts from state that
 * is undone.
 */
import type { Artifact } from "../sandbox/index.ts";
import type { Branch, Commit } from "../vault/index.ts";
import type { AgentCode } from "./agent-code.ts";
import type { AgentLoader } from "./agent-host.ts";
import type { AgentSpec } from "./agent-record.ts";
import { chooseCode, commitFirst, migrationOps } from "./first-start.ts";
import type { CodeChoice } from "./first-start.ts";
import type { IncarnationHost, IncarnationOptions } from "./incarnation.ts";
import { Incarnation } from "./incarnation.ts";
import type { Lives } from "./lives.ts";

/** What a loader works with. */
export interface LoaderParts {
  readonly host: IncarnationHost;
  readonly code: AgentCode;
  readonly lives: Lives;
  /** Kept code did not load as the agent was to begin: true when the agent is something else now. */
  readonly rescue: (error: unknown) => Promise<boolean>;
  /** The newest commit of whoever had the name before. */
  readonly after: Commit | undefined;
  /** The spec and the life of now. */
  readonly now: () => { readonly spec: AgentSpec; readonly life: Incarnation | undefined };
}

/** Tries at a start whose cell was lost through no fault of the agent's. */
const START_TRIES = 3;

/** Loads the lives of one agent. */
export class LifeLoader {
  readonly #parts: LoaderParts;
  /** The newest commit outside of a life that runs. */
  lastCommit: Commit | undefined;

  constructor(parts: LoaderParts) {
    this.#parts = parts;
    this.lastCommit = parts.after;
  }

  /** Loads code, by default with the spec of now, and waits for it. Rejects with the sandbox's error. */
  async load(given: {
    readonly artifact: Artifact;
    readonly profile: "trusted" | "hardened";
    readonly spec?: AgentSpec;
  }): Promise<Incarnation> {
    await this.settled();
    for (let tries = 1; ; tries++) {
      try {
        return await Incarnation.load(this.#parts.host, this.#optionsOf(given));
      } catch (error) {
        const code = (error as { readonly code?: string }).code; // reading a property that may not be there
        if (code !== "SANDBOX_CELL_LOST" || tries >= START_TRIES) throw error;
      }
    }
  }

  /** Places the current code without waiting until it is loaded. Rejects with RUNTIME_START_FAILED where there is none. */
  async place(): Promise<Incarnation> {
    const { current, artifact } = this.#parts.code.required();
    await this.settled();
    return Incarnation.place(this.#parts.host, this.#optionsOf({ artifact, profile: current.profile }));
  }

  /**
   * Loads what was deployed and commits spec, code and the first (or migrated) state together. Leaves nothing behind when
   * it rejects.
   */
  async loadFirst(
    given: Artifact,
    spec: AgentSpec,
    nowMs: number,
  ): Promise<{ readonly life: Incarnation; readonly isNewMeasure: boolean }> {
    const { code } = this.#parts;
    const { known } = code;
    const choice = chooseCode(given, known, spec.profile);
    const life = await this.#loadOrRescue(choice, spec);
    if (life === undefined) return this.loadFirst(given, spec, nowMs);
    try {
      const { current, isNewMeasure } = await commitFirst(life, { choice, spec, known, nowMs });
      code.known = { current, artifact: choice.artifact };
      return { life, isNewMeasure };
    } catch (error) {
      life.discard();
      throw error;
    }
  }

  /** Undefined: what the vault held did not load, and the agent is something else now. What is new may fail, and does so. */
  async #loadOrRescue(choice: CodeChoice, spec: AgentSpec): Promise<Incarnation | undefined> {
    const isKept = choice.artifact.hash === this.#parts.code.known?.artifact.hash;
    try {
      return await this.load({ ...choice, spec });
    } catch (error) {
      if (isKept && (await this.#parts.rescue(error))) return undefined;
      throw error;
    }
  }

  /** What replaces a life is given; `moveTo` makes the agent what a branch holds. */
  forReplacement(moveTo: (branch: Branch) => void): AgentLoader {
    const { host, code } = this.#parts;
    return {
      settled: () => this.settled(),
      load: (options) => this.load(options),
      loadFrom: async (branch) => {
        moveTo(branch);
        const { current, artifact } = code.required();
        return this.load({ artifact, profile: current.profile });
      },
      migrationOps: (life, fromVersion) => migrationOps(life, { agent: host.id, fromVersion, nowMs: host.clock.now() }),
    };
  }

  /** Waits until the last life's commits are durable or undone; which of the two is the same to us here. */
  async settled(): Promise<void> {
    const commit = this.#parts.now().life?.lastCommit ?? this.lastCommit;
    this.lastCommit = commit; // a start that is killed while it waits here is followed by one that must wait as long
    if (commit === undefined || commit.isDurable) return;
    await commit.durable.catch(() => undefined); // its own caller was told; here only the end of waiting matters
  }

  #optionsOf(given: {
    readonly artifact: Artifact;
    readonly profile: "trusted" | "hardened";
    readonly spec?: AgentSpec;
  }): IncarnationOptions {
    const { code, lives, now } = this.#parts;
    const { artifact, profile, spec = now().spec } = given;
    const { limits, durability, text, contextBudget, random, domain } = spec;
    const place = { profile, domain, isAlone: lives.isToBeAlone(spec), isHeldBack: lives.isToBeHeldBack };
    const host = this.#parts.host.surface(spec.host);
    return { ...place, branch: code.branch, artifact, limits, durability, text, host, contextBudget, random };
  }
}
