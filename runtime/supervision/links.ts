/**
 * Links, monitors, trapped exits and names, by OTP's rules, as one pure function: `act(state, action) -> { state, effects }`.
 * Processes are numbers here; who they are is the shell's business.
 *
 *   exit, kill signal --> ended --+-- to each link: an exit signal, which ends it too, or is a message if it traps exits
 *                                 `-- to each monitor: one message
 *
 * Rules that are easy to get wrong
 * 1. Only the signal `kill` cannot be trapped, and it shows as `killed`. A process that ends itself with `kill` is another
 *    thing: along its links that is an ordinary reason.
 * 2. `normal` from somebody else is ignored by who does not trap exits; a process that sends it to itself ends.
 * 3. A link to the dead is an exit signal `noproc` at once, a monitor of the dead a message `noproc` at once.
 * 4. A name is free the moment its owner is dead.
 * 5. At one end, links are told before monitors; each in the order in which processes were spawned and monitors set.
 */
import type { Reason } from "./contract.ts";
import { emptyIntMap, entriesOf, getIn, removeIn, setIn } from "./int-map.ts";
import type { IntMap } from "./int-map.ts";

/** Names one process; never used twice. */
export type Pid = number;

interface Process {
  readonly isTrapping: boolean;
  readonly links: IntMap<true>;
  /** Whom it watches: monitor to process. */
  readonly watches: IntMap<Pid>;
  /** Who watches it: monitor to process. */
  readonly watchers: IntMap<Pid>;
  readonly name: string | undefined;
}

/** Who lives, and how they hang together. Plain data. */
export interface Processes {
  readonly living: IntMap<Process>;
  readonly names: ReadonlyMap<string, Pid>;
}

/** What a process does, or what is done to one. What the dead do, and what is done to them, has no effect but rule 3. */
export type LinkAction =
  | { readonly type: "spawn"; readonly pid: Pid; readonly isTrapping: boolean; readonly link?: Pid }
  | { readonly type: "trap"; readonly pid: Pid; readonly isTrapping: boolean }
  | { readonly type: "link"; readonly from: Pid; readonly to: Pid }
  | { readonly type: "unlink"; readonly from: Pid; readonly to: Pid }
  /** `monitor` is a number of the caller's, never used twice. */
  | { readonly type: "monitor"; readonly from: Pid; readonly to: Pid; readonly monitor: number }
  | { readonly type: "demonitor"; readonly from: Pid; readonly monitor: number }
  /** An exit signal; `from` may be somebody who is not a process here. */
  | { readonly type: "signal"; readonly from: Pid; readonly to: Pid; readonly reason: Reason }
  /** It ends itself, or was ended from outside with this reason. */
  | { readonly type: "exit"; readonly pid: Pid; readonly reason: Reason }
  | { readonly type: "register"; readonly pid: Pid; readonly name: string }
  | { readonly type: "unregister"; readonly name: string };

/** What comes of it, in order. */
export type LinkEffect =
  | { readonly type: "ended"; readonly pid: Pid; readonly reason: Reason }
  /** A trapped exit is a message. */
  | { readonly type: "exit_message"; readonly to: Pid; readonly from: Pid; readonly reason: Reason }
  | {
      readonly type: "down_message";
      readonly to: Pid;
      readonly monitor: number;
      readonly of: Pid;
      readonly reason: Reason;
    }
  /** The name is taken, the process has one already or is dead; or nobody has the name. */
  | { readonly type: "refused"; readonly error: "badarg" };

interface Draft {
  living: IntMap<Process>;
  names: ReadonlyMap<string, Pid>;
  readonly effects: LinkEffect[];
  /** Signals on their way, oldest first. */
  readonly signals: Signal[];
}

type Signal =
  | {
      readonly type: "exit";
      readonly from: Pid;
      readonly to: Pid;
      readonly reason: Reason;
      /** Along a link every reason is an ordinary one. */
      readonly isFromLink: boolean;
    }
  | Extract<LinkEffect, { readonly type: "down_message" }>;

/** Nobody yet. */
export const noProcesses: Processes = { living: emptyIntMap(), names: new Map() };

/** True while the process lives. */
export function isAlive({ living }: Processes, pid: Pid): boolean {
  return getIn(living, pid) !== undefined;
}

/** How many links and monitors of its own it has. */
export function linkCount({ living }: Processes, pid: Pid): number {
  const process = getIn(living, pid);
  return process === undefined ? 0 : process.links.size + process.watches.size;
}

/** Who has the name. */
export function whereIs({ names }: Processes, name: string): Pid | undefined {
  return names.get(name);
}

/** What becomes of the processes, and what the shell is to tell them. */
export function act(
  state: Processes,
  action: LinkAction,
): { readonly state: Processes; readonly effects: readonly LinkEffect[] } {
  const draft: Draft = { ...state, effects: [], signals: [] };
  perform(draft, action);
  for (let signal = draft.signals.shift(); signal !== undefined; signal = draft.signals.shift()) deliver(draft, signal);
  const { living, names, effects } = draft;
  return { state: { living, names }, effects };
}

function perform(draft: Draft, action: LinkAction): void {
  switch (action.type) {
    case "spawn":
      return spawn(draft, action);
    case "trap":
      return change(draft, action.pid, { isTrapping: action.isTrapping });
    case "link":
      return link(draft, action.from, action.to);
    case "unlink":
      return unlink(draft, action.from, action.to);
    case "monitor":
      return monitor(draft, action);
    case "demonitor":
      return demonitor(draft, action.from, action.monitor);
    case "signal":
      return void draft.signals.push({ ...action, type: "exit", isFromLink: false });
    case "exit":
      return end(draft, action.pid, action.reason);
    case "register":
      return register(draft, action.pid, action.name);
    case "unregister":
      return unregister(draft, action.name);
  }
}

function change(draft: Draft, pid: Pid, fields: Partial<Process>): void {
  const process = getIn(draft.living, pid);
  if (process !== undefined) draft.living = setIn(draft.living, pid, { ...process, ...fields });
}

function spawn(draft: Draft, action: Extract<LinkAction, { readonly type: "spawn" }>): void {
  const { pid, isTrapping } = action;
  const none = emptyIntMap<never>();
  draft.living = setIn(draft.living, pid, { isTrapping, links: none, watches: none, watchers: none, name: undefined });
  if (action.link !== undefined) link(draft, action.link, pid);
}

function link(draft: Draft, from: Pid, to: Pid): void {
  const [one, other] = [getIn(draft.living, from), getIn(draft.living, to)];
  if (one === undefined || from === to) return;
  if (other === undefined) {
    draft.signals.push({ type: "exit", from: to, to: from, reason: "noproc", isFromLink: true });
    return;
  }
  change(draft, from, { links: setIn(one.links, to, true) });
  change(draft, to, { links: setIn(other.links, from, true) });
}

function unlink(draft: Draft, from: Pid, to: Pid): void {
  for (const [pid, linked] of [
    [from, to],
    [to, from],
  ] as const) {
    const process = getIn(draft.living, pid);
    if (process !== undefined) change(draft, pid, { links: removeIn(process.links, linked) });
  }
}

function monitor(draft: Draft, action: Extract<LinkAction, { readonly type: "monitor" }>): void {
  const { from, to, monitor } = action;
  const [watcher, watched] = [getIn(draft.living, from), getIn(draft.living, to)];
  if (watcher === undefined || from === to) return;
  if (watched === undefined) {
    draft.effects.push({ type: "down_message", to: from, monitor, of: to, reason: "noproc" });
    return;
  }
  change(draft, from, { watches: setIn(watcher.watches, monitor, to) });
  change(draft, to, { watchers: setIn(watched.watchers, monitor, from) });
}

function demonitor(draft: Draft, from: Pid, monitor: number): void {
  const watcher = getIn(draft.living, from);
  const watched = watcher === undefined ? undefined : getIn(watcher.watches, monitor);
  if (watcher === undefined || watched === undefined) return;
  change(draft, from, { watches: removeIn(watcher.watches, monitor) });
  unwatch(draft, watched, monitor);
}

function unwatch(draft: Draft, watched: Pid, monitor: number): void {
  const process = getIn(draft.living, watched);
  if (process !== undefined) change(draft, watched, { watchers: removeIn(process.watchers, monitor) });
}

function register(draft: Draft, pid: Pid, name: string): void {
  const process = getIn(draft.living, pid);
  if (process === undefined || process.name !== undefined || draft.names.has(name)) return refuse(draft);
  change(draft, pid, { name });
  draft.names = new Map([...draft.names, [name, pid]]);
}

function unregister(draft: Draft, name: string): void {
  const pid = draft.names.get(name);
  if (pid === undefined) return refuse(draft);
  change(draft, pid, { name: undefined });
  freeName(draft, name);
}

function freeName(draft: Draft, name: string): void {
  draft.names = new Map([...draft.names].filter(([known]) => known !== name));
}

function refuse(draft: Draft): void {
  draft.effects.push({ type: "refused", error: "badarg" });
}

function deliver(draft: Draft, signal: Signal): void {
  const { to, reason } = signal;
  const process = getIn(draft.living, to);
  if (process === undefined) return;
  if (signal.type === "down_message") return void draft.effects.push(signal);
  const { from, isFromLink } = signal;
  if (reason === "kill" && !isFromLink) end(draft, to, "killed");
  else if (process.isTrapping) draft.effects.push({ type: "exit_message", to, from, reason });
  else if (reason !== "normal" || from === to) end(draft, to, reason);
}

function end(draft: Draft, pid: Pid, reason: Reason): void {
  const process = getIn(draft.living, pid);
  if (process === undefined) return;
  draft.living = removeIn(draft.living, pid);
  if (process.name !== undefined) freeName(draft, process.name);
  draft.effects.push({ type: "ended", pid, reason });
  for (const [linked] of entriesOf(process.links)) {
    const other = getIn(draft.living, linked);
    if (other !== undefined) change(draft, linked, { links: removeIn(other.links, pid) });
    draft.signals.push({ type: "exit", from: pid, to: linked, reason, isFromLink: true });
  }
  for (const [monitor, watcher] of entriesOf(process.watchers)) {
    const other = getIn(draft.living, watcher);
    if (other === undefined) continue;
    change(draft, watcher, { watches: removeIn(other.watches, monitor) });
    draft.signals.push({ type: "down_message", to: watcher, monitor, of: pid, reason });
  }
  for (const [monitor, watched] of entriesOf(process.watches)) unwatch(draft, watched, monitor);
}
