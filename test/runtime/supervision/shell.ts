/**
 * The smallest shell that runs the core, for tests: starts answer when the test says so, children end when they are told
 * to, and every state is frozen before it is handed back, so that a core that changed what it was given would throw.
 */
import { checkChildSpecs, checkFlags } from "../../../runtime/supervision/child-spec.ts";
import type { FlagsInput } from "../../../runtime/supervision/child-spec.ts";
import type { Definition, Effect, Event, Report, Request } from "../../../runtime/supervision/contract.ts";
import { newSupervisor } from "../../../runtime/supervision/state.ts";
import type { State } from "../../../runtime/supervision/state.ts";
import { step } from "../../../runtime/supervision/step.ts";

/** A definition of children with these keys beside `start`; periods are milliseconds. */
export function definition(flags: FlagsInput, ...children: readonly object[]): Definition {
  const checked = checkFlags(flags, { unitMs: 1, periodDefault: 5_000 });
  if (checked.type === "refused") throw new Error(checked.error);
  const specs = checkChildSpecs(
    children.map((child) => ({ start: "code", ...child })),
    checked.value,
  );
  if (specs.type === "refused") throw new Error(specs.error);
  return { flags: checked.value, children: specs.value };
}

/** One supervisor, driven by hand. */
export class Shell {
  state: State;

  constructor(given: Definition) {
    this.state = deepFreeze(newSupervisor(given));
  }

  /** Hands events over, all at once, and gives what the core wants done. */
  feed(...events: readonly Event[]): readonly Effect[] {
    const { state, effects } = step(this.state, deepFreeze(events));
    this.state = deepFreeze(state);
    return effects;
  }

  /** Starts everything; each start works. */
  up(): this {
    this.answerStarts(this.feed({ type: "init" }));
    return this;
  }

  /** Answers each start with success until nothing more is to be started; gives all effects on the way. */
  answerStarts(effects: readonly Effect[]): readonly Effect[] {
    const all = [...effects];
    for (let last = effects; ;) {
      const start = last.find(({ type }) => type === "start");
      if (start?.type !== "start") return all;
      last = this.feed({ type: "started", ref: start.ref });
      all.push(...last);
    }
  }
}

/** The event of an end. */
export function exited(ref: number, reason = "boom", atMs = 0): Event {
  return { type: "exited", ref, reason, atMs };
}

/** The event of a request. */
export function called(from: number | string, request: Request): Event {
  return { type: "called", from, request, atMs: 0 };
}

/** The effects without reports, each as a short text: `start a 3`, `signal 2 kill`, `reply x ok`. */
export function briefly(effects: readonly Effect[]): readonly string[] {
  return effects.filter(({ type }) => type !== "report").map(textOf);
}

function textOf(effect: Effect): string {
  switch (effect.type) {
    case "start":
      return `start ${effect.spec.id} ${effect.ref}`;
    case "signal":
      return `signal ${effect.ref} ${effect.reason}`;
    case "set_timer":
      return `timer ${effect.id} ${effect.ms}`;
    case "cancel_timer":
      return `cancel ${effect.id}`;
    case "reply":
      return `reply ${effect.from} ${effect.reply.type === "refused" ? effect.reply.error : effect.reply.type}`;
    case "try_again":
      return `again ${"id" in effect.key ? effect.key.id : effect.key.ref} ${effect.attempt}`;
    case "exit":
      return `exit ${effect.reason}`;
    default:
      return effect.type;
  }
}

/** What the operators were told. */
export function reports(effects: readonly Effect[]): readonly Report[] {
  return effects.flatMap((effect) => (effect.type === "report" ? [effect.report] : []));
}

/** Frozen, with everything in it. What is frozen already was looked at before. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
  return value;
}
