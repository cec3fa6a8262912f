/**
 * Keeps the lines of descent on record: looks at what runs after each event that may have changed it, and writes it down where
 * it is another version than the last.
 *
 * The first version of an agent is written with its second, or with its first candidate: most agents never have either, and a
 * spawn should not pay for them.
 */
import type { PlanariaEvent, Runtime } from "../runtime/index.ts";
import { RuntimeError } from "../runtime/index.ts";
import type { Version, VersionCause } from "./lineage.ts";
import { causeFound, nextVersion } from "./lineage.ts";
import type { Records } from "./records.ts";

/** Why another version runs. */
type Cause = Pick<Version, "why" | "author" | "decision" | "isFound">;

/** First versions that are remembered without being written; then the oldest go. */
const FIRST_MAX = 100_000;

const BY_EVENT: Readonly<Record<string, VersionCause>> = {
  "agent.spawned": "deployed",
  "definition.applied": "deployed",
  "code.swapped": "deployed",
  "agent.restored": "restored",
  "agent.escalated": "ladder",
};

/** Watches which versions run. */
export class LineageKeeper {
  readonly #runtime: Runtime;
  readonly #records: Records;
  readonly #first = new Map<string, Version>();
  /** Changes that the arbiter makes itself. */
  readonly #expected = new Map<string, Cause>();
  readonly #stop: () => void;
  /** Versions are written one after the other; a failure is an event. */
  #tail: Promise<void> = Promise.resolve();

  constructor(runtime: Runtime, records: Records) {
    this.#runtime = runtime;
    this.#records = records;
    const { unsubscribe } = runtime.subscribe(({ event }) => this.#onEvent(event));
    this.#stop = unsubscribe;
  }

  /** Writes what changed while nobody watched. */
  async compare(): Promise<void> {
    for (const agent of this.#records.agents()) this.#look(agent, undefined);
    await this.#tail;
  }

  /** The agent is judged from now on: what it runs is on record when it resolves. */
  async begin(agent: string): Promise<void> {
    this.#look(agent, undefined);
    this.#writeFirst(agent);
    await this.#tail;
  }

  /** What the arbiter does now changes the code of this agent for this reason. Returns the end of it. */
  expect(agent: string, cause: Cause): () => void {
    this.#expected.set(agent, cause);
    return () => {
      this.#look(agent, cause);
      this.#expected.delete(agent);
    };
  }

  /** Everything seen so far is written, or told as a failure. */
  async settled(): Promise<void> {
    await this.#tail;
  }

  /** Looks no more. Resolves when everything seen is written. */
  async close(): Promise<void> {
    this.#stop();
    await this.#tail;
  }

  /** This agent's versions, oldest first, also one that was never written. */
  versions(agent: string): readonly Version[] {
    const first = this.#first.get(agent);
    return first === undefined ? this.#records.versions(agent) : [first];
  }

  #onEvent(event: PlanariaEvent): void {
    const why = BY_EVENT[event.type];
    if (why !== undefined && "agent" in event && typeof event.agent === "string")
      this.#look(event.agent, this.#expected.get(event.agent) ?? { why, author: "operator" });
    if (event.type === "agent.dropped") this.#first.delete(event.agent);
  }

  /** Without a cause: found. */
  #look(agent: string, cause: Cause | undefined): void {
    const current = this.#current(agent);
    if (current === undefined) return;
    const last = this.#newest.get(agent) ?? this.#first.get(agent) ?? this.#records.versions(agent).at(-1);
    const found = cause ?? causeFound(current, { last, decisions: this.#decisionsOf(agent) });
    const isFirst = last === undefined;
    const timeMs = this.#runtime.clock.now();
    const version = nextVersion(last, {
      agent,
      hash: current.hash,
      timeMs,
      cause: isFirst && cause !== undefined ? { ...found, why: "spawned" } : found,
    });
    if (version === undefined) return;
    if (isFirst) return this.#remember(version);
    this.#writeFirst(agent);
    this.#write(version);
  }

  #decisionsOf(agent: string): ReturnType<Records["decisions"]> {
    return this.#records.decisions().filter((decision) => decision.agent === agent);
  }

  #remember(version: Version): void {
    this.#first.set(version.agent, version);
    const oldest = this.#first.size > FIRST_MAX ? this.#first.keys().next().value : undefined;
    if (oldest !== undefined) this.#first.delete(oldest);
  }

  #writeFirst(agent: string): void {
    const first = this.#first.get(agent);
    if (first === undefined) return;
    this.#first.delete(agent);
    this.#write(first);
  }

  /** Versions that are being written. */
  readonly #newest = new Map<string, Version>();

  #write(version: Version): void {
    const { agent } = version;
    this.#newest.set(agent, version);
    this.#tail = this.#tail.then(async () => {
      try {
        await this.#records.write({ type: "version", version });
      } catch (error) {
        const message = `a version of ${agent} is not on record: ${String(error)}`;
        this.#runtime.events.emit({ type: "candidate.failed", agent, message });
      }
      if (this.#newest.get(agent) === version) this.#newest.delete(agent);
    });
  }

  #current(agent: string): { readonly hash: string; readonly originHash: string } | undefined {
    try {
      return this.#runtime.control(agent).code.current;
    } catch (error) {
      if (error instanceof RuntimeError) return undefined;
      throw error;
    }
  }
}
