/** `ctx`: everything that a handler can do, as closures over its turn, so that it may be taken apart (`({ state }) => …`). */

import { encode } from "../codec.ts";
import { pack } from "../envelope.ts";
import { SandboxError } from "../errors.ts";
import { DOWN_METHOD, NAME_BYTES_MAX, packAddress, type GuestLog, type IsolateLimits } from "../protocol.ts";
import { shown } from "./format.ts";
import { after, cancel, cron, publish, subscribe, unsubscribe } from "./later.ts";
import type { LifeContext } from "./handover.ts";
import type { HostSurface } from "../host-text.ts";
import { hostOf } from "./host.ts";
import { createObject, freeze, NativeProxy, NativeTypeError } from "./primordials.ts";
import { readTraps, writeTraps } from "./state-proxy.ts";
import type { State } from "./state.ts";
import { Steps } from "./step.ts";
import { tableOf } from "./table.ts";
import type { TimeAndChance } from "./time-and-chance.ts";
import type { TurnRun } from "./turn.ts";
import { isLongerThan } from "./utf8.ts";

/** As the vault's labels. */
const LABEL_BYTES_MAX = 256;

/** What contexts are made from; the same for all turns of a guest. */
export interface ContextParts {
  readonly limits: IsolateLimits;
  readonly state: State;
  readonly time: TimeAndChance;
  readonly self: { readonly id: string; readonly version: number };
  /** Throws SANDBOX_METHOD_UNKNOWN. */
  readonly requireMethod: (name: string) => void;
  /** What the definition's owner gave it to read. */
  readonly text: string;
  readonly life: LifeContext;
  /** What was granted. */
  readonly host: HostSurface;
}

/** The context of one turn, frozen. A plain literal: V8 makes objects without a prototype ten times slower. */
export function contextOf(turn: TurnRun, parts: ContextParts): object {
  const { limits, state, time, self, text, life } = parts;
  const bytesMax = limits.messageBytesMax;
  let steps: Steps | undefined; // made with the first one
  const address = (agent: unknown, method: unknown, argument: unknown): string =>
    packAddress({
      agent: nameOf(agent, "agent"),
      method: nameOf(method, "method"),
      text: encode(argument, { bytesMax, root: "arg", option: "limits.messageBytesMax" }),
    });
  return freeze({
    host: hostOf(turn, parts.host, limits),
    state: new NativeProxy(createObject(null), turn.reads ? readTraps(state, turn) : writeTraps(state, turn)),
    self,
    text,
    note: life.note,
    used: (count: unknown = 0) => life.use(turn, count),
    handover: (note?: unknown) => life.handOver(turn, note),
    table: (name: unknown) => tableOf(turn, name, limits),
    now: () => time.nowMs,
    random: () => time.random(),
    call: (agent: unknown, method: unknown, argument: unknown) =>
      turn.ask("call", () => address(agent, method, argument)),
    cast: (agent: unknown, method: unknown, argument: unknown) => turn.send("cast", address(agent, method, argument)),
    spawn: (options: unknown) =>
      turn.ask("spawn", () => encode(options, { bytesMax, root: "options", option: "limits.messageBytesMax" })),
    stop: (child: unknown) => turn.ask("stop", () => nameOf(child, "child")),
    kill: (child: unknown) => turn.ask("kill", () => nameOf(child, "child")),
    link: (agent: unknown) => turn.send("link", nameOf(agent, "agent")),
    unlink: (agent: unknown) => turn.send("unlink", nameOf(agent, "agent")),
    monitor: (agent: unknown) => monitor(turn, parts, nameOf(agent, "agent")),
    demonitor: (ref: unknown) => turn.send("demonitor", nameOf(ref, "ref")),
    exit: (reason: unknown = "normal") => turn.send("exit", nameOf(reason, "reason")),
    step: (name: unknown, fn: unknown, options?: unknown) => (steps ??= new Steps(turn, limits)).run(name, fn, options),
    checkpoint: (label: unknown) => turn.send("checkpoint", nameOf(label, "label", LABEL_BYTES_MAX)),
    propose: (source: unknown) => turn.ask("propose", () => textOf(source, "source", bytesMax)),
    publish: (topic: unknown, value: unknown) => publish(turn, parts, topic, value),
    subscribe: (topic: unknown, method: unknown, options?: unknown) =>
      subscribe(turn, parts, { topic, method, options }),
    unsubscribe: (topic: unknown) => unsubscribe(turn, topic),
    after: (ms: unknown, method: unknown, argument?: unknown) => after(turn, parts, { ms, method, argument }),
    cron: (pattern: unknown, method: unknown, argument?: unknown, options?: unknown) =>
      cron(turn, parts, { pattern, method, argument, options }),
    cancel: (id: unknown) => cancel(turn, id),
    log: logOf(turn),
  });
}

/** The name of a monitor is told before the monitor is there: it is made of what no other turn of this agent has. */
function monitor(turn: TurnRun, { time, requireMethod }: ContextParts, agent: string): string {
  requireMethod(DOWN_METHOD);
  const ref = `${time.nowMs}-${time.seed}-${turn.outbox.length}`;
  turn.send("monitor", pack([ref, agent]));
  return ref;
}

function logOf(turn: TurnRun): object {
  const line =
    (level: GuestLog["level"]) =>
    (message: unknown, fields?: unknown): void =>
      turn.log(level, () => (fields === undefined ? shown(message, 1) : `${shown(message, 1)} ${shown(fields, 1)}`));
  return freeze({ debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") });
}

function nameOf(value: unknown, what: string, bytesMax: number = NAME_BYTES_MAX): string {
  const name = textOf(value, what, bytesMax);
  if (name === "") throw new NativeTypeError(`the ${what} must not be empty`);
  return name;
}

function textOf(value: unknown, what: string, bytesMax: number): string {
  if (typeof value !== "string") throw new NativeTypeError(`the ${what} must be a string`);
  if (!isLongerThan(value, bytesMax)) return value;
  throw new SandboxError("SANDBOX_MESSAGE_TOO_LARGE", `the ${what} is longer than ${bytesMax} bytes`);
}
