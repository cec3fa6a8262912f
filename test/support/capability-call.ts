/** A capability's verbs without a runtime around them: grant and arguments pass their schemas, then the verb runs. */
import assert from "node:assert/strict";
import { RuntimeError } from "../../runtime/errors.ts";
import type { Capability, CapabilityCall, CapabilityVerb, Held, Schema } from "../../runtime/capabilities/contract.ts";
import { Holds } from "../../runtime/capabilities/holds.ts";
import { systemClock, type Clock } from "../../vault/index.ts";

/** What a test says of its call; everything has a default. */
export interface CallSetting {
  readonly grant: unknown;
  readonly agent?: string;
  /** Default: the agent. */
  readonly owner?: string;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly answerBytesMax?: number;
  readonly idempotencyKey?: string;
  /** The Guardian's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Verbs of one capability, with what they noted for the operator. */
export interface DirectCalls {
  readonly notes: readonly string[];
  /** The life of the agent ends; resolves when everything that it held is closed. */
  end(this: void): Promise<void>;
  /** Runs a verb to its end. */
  ask(this: void, verb: string, ...args: readonly unknown[]): Promise<unknown>;
  /** Reads a verb that answers in parts. */
  parts(this: void, verb: string, ...args: readonly unknown[]): AsyncGenerator<unknown, void, void>;
  /** Reads such a verb to its end. */
  whole(this: void, verb: string, ...args: readonly unknown[]): Promise<readonly unknown[]>;
}

/** The value as the schema makes it; a failed assertion where the schema refuses it. */
export function passed(schema: Schema<unknown>, value: unknown): unknown {
  const result = schema.safeParse(value);
  assert.ok(result.success, result.success ? "" : JSON.stringify(result.error.issues));
  return result.data;
}

/** What the schema says is wrong with a value, as "path: message"; none where it passes. */
export function faults(schema: Schema<unknown>, value: unknown): readonly string[] {
  const result = schema.safeParse(value);
  return result.success
    ? []
    : result.error.issues.map(({ path, message }) => `${path.map(String).join(".")}: ${message}`);
}

/** The verbs of a capability under one grant. */
export function direct(capability: Capability, setting: CallSetting): DirectCalls {
  const notes: string[] = [];
  const holds = new Holds(setting.clock ?? systemClock);
  const life = holds.of(setting.agent ?? "a", 1);
  const call: CapabilityCall<unknown> = {
    grant: passed(capability.grant, setting.grant),
    agent: setting.agent ?? "a",
    owner: setting.owner ?? setting.agent ?? "a",
    signal: setting.signal ?? new AbortController().signal,
    idempotencyKey: setting.idempotencyKey ?? "key-1",
    clock: setting.clock ?? systemClock,
    answerBytesMax: setting.answerBytesMax ?? 1 << 20,
    secret(variable) {
      const value = setting.env?.[variable];
      if (value !== undefined) return value;
      throw new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", `The variable ${variable} is not set.`);
    },
    // What is held under a name was made by the capability's own `open`.
    hold: <Thing extends Held>(name: string, open: () => Promise<Thing>) => life.hold(name, open) as Promise<Thing>,
    release: (name) => life.release(name),
    note: (text) => void notes.push(text),
  };
  const verbOf = (name: string): CapabilityVerb<unknown, readonly unknown[]> => {
    const verb = capability.verbs.get(name);
    assert.ok(verb !== undefined, `no verb ${name}`);
    return verb;
  };
  // The schema of a verb's arguments makes a tuple, and each verb answers in the one or the other way.
  async function* parts(name: string, ...args: readonly unknown[]): AsyncGenerator<unknown, void, void> {
    const verb = verbOf(name);
    yield* verb.run(call, ...(passed(verb.args, args) as readonly unknown[])) as AsyncIterable<unknown>;
  }
  return {
    notes,
    parts,
    end: () => holds.close(),
    async whole(name, ...args) {
      const got: unknown[] = [];
      for await (const part of parts(name, ...args)) got.push(part);
      return got;
    },
    async ask(name, ...args) {
      const verb = verbOf(name);
      return await (verb.run(call, ...(passed(verb.args, args) as readonly unknown[])) as Promise<unknown>);
    },
  };
}
