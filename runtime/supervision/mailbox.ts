/**
 * What waits while a supervisor is busy: events in order of arrival, and OTP's selective receive, which takes the exit of
 * one child out of the middle (`unlink_flush` in supervisor.erl). Persistent, like everything in the core: each change is a
 * new mailbox.
 *
 *   push --> [first ... next)  --shift--> served in order
 *                  |
 *                  +--takeExit(ref)--> the operation that waits for this child
 */
import type { Event, Ref } from "./contract.ts";
import { emptyIntMap, getIn, removeIn, setIn } from "./int-map.ts";
import type { IntMap } from "./int-map.ts";

/** The exit of a child. */
export type Exited = Extract<Event, { readonly type: "exited" }>;

/** Events in order; `exits` says where the exit of a ref stands. */
export interface Mailbox {
  readonly first: number;
  readonly next: number;
  readonly events: IntMap<Event>;
  readonly exits: IntMap<number>;
}

/** A mailbox without events. */
export const emptyMailbox: Mailbox = { first: 0, next: 0, events: emptyIntMap(), exits: emptyIntMap() };

/** Adds an event at the end. */
export function push(mailbox: Mailbox, event: Event): Mailbox {
  const { first, next } = mailbox;
  const exits = event.type === "exited" ? setIn(mailbox.exits, event.ref, next) : mailbox.exits;
  return { first, next: next + 1, events: setIn(mailbox.events, next, event), exits };
}

/** Takes the oldest event. */
export function shift(mailbox: Mailbox): { readonly event: Event | undefined; readonly mailbox: Mailbox } {
  if (mailbox.events.size === 0) return { event: undefined, mailbox: emptyMailbox };
  let { first } = mailbox;
  let event = getIn(mailbox.events, first);
  // Places whose exit was taken out of order are empty.
  while (event === undefined) event = getIn(mailbox.events, ++first);
  const exits = event.type === "exited" ? removeIn(mailbox.exits, event.ref) : mailbox.exits;
  return {
    event,
    mailbox: { first: first + 1, next: mailbox.next, events: removeIn(mailbox.events, first), exits },
  };
}

/** Takes the exit of `ref` out, wherever it stands; undefined where it has not arrived. */
export function takeExit(
  mailbox: Mailbox,
  ref: Ref,
): { readonly exited: Exited; readonly mailbox: Mailbox } | undefined {
  const place = getIn(mailbox.exits, ref);
  if (place === undefined) return undefined;
  const event = getIn(mailbox.events, place);
  if (event?.type !== "exited") return undefined;
  return {
    exited: event,
    mailbox: { ...mailbox, events: removeIn(mailbox.events, place), exits: removeIn(mailbox.exits, ref) },
  };
}

/** True when the exit of `ref` has arrived and was not served yet: the child is dead, and its supervisor does not know. */
export function hasExit(mailbox: Mailbox, ref: Ref): boolean {
  return getIn(mailbox.exits, ref) !== undefined;
}
