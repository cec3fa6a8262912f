/**
 * The children of a supervisor that have ids, in start order: found by id and by the ref of their process. Persistent, like
 * everything in the core. Finding, changing, adding and forgetting one child costs the same with ten and with ten thousand.
 *
 *   places: hash of id -> [id, place]      byPlace: place -> child, ascending = start order
 *   refs: last process of a child -> place
 */
import type { ChildSpec, Ref } from "./contract.ts";
import { emptyIntMap, entriesOf, getIn, removeIn, setIn } from "./int-map.ts";
import type { IntMap } from "./int-map.ts";

/** How a child is. `attempt`: failed tries in a row; `ref` names its process, or the last one it had, if it had one. */
export type ChildStatus =
  | { readonly type: "up"; readonly ref: Ref }
  | { readonly type: "stopped"; readonly ref?: Ref | undefined }
  | { readonly type: "restarting"; readonly ref: Ref | undefined; readonly attempt: number };

/** A child with an id of its own. */
export interface Child {
  readonly spec: ChildSpec;
  readonly status: ChildStatus;
}

interface Entry {
  readonly id: string;
  readonly place: number;
}

/** The list. Plain data; made and changed by the functions of this file alone. */
export interface Roster {
  readonly placeNext: number;
  readonly byPlace: IntMap<Child>;
  readonly places: IntMap<readonly Entry[]>;
  readonly refs: IntMap<number>;
}

const noChildren: Roster = { placeNext: 0, byPlace: emptyIntMap(), places: emptyIntMap(), refs: emptyIntMap() };

/** A roster of these children, in this order. */
export function rosterOf(children: readonly Child[]): Roster {
  return children.reduce(addChild, noChildren);
}

/** All children in start order. O(n log n): for answers and rounds, not for single events. */
export function childrenOf({ byPlace }: Roster): readonly Child[] {
  return entriesOf(byPlace).map(([, child]) => child);
}

/** The child of that id. */
export function childOf(roster: Roster, id: string): Child | undefined {
  const place = placeOf(roster, id);
  return place === undefined ? undefined : getIn(roster.byPlace, place);
}

/** The child whose process is `ref`, or was its last one. */
export function childByRef({ byPlace, refs }: Roster, ref: Ref): Child | undefined {
  const place = getIn(refs, ref);
  return place === undefined ? undefined : getIn(byPlace, place);
}

/** The roster with one more child, the last to be started. Its id must be new. */
export function addChild(roster: Roster, child: Child): Roster {
  const { placeNext } = roster;
  const hash = hashOf(child.spec.id);
  const entries = [...(getIn(roster.places, hash) ?? []), { id: child.spec.id, place: placeNext }];
  const places = setIn(roster.places, hash, entries);
  return put({ ...roster, placeNext: placeNext + 1, places }, placeNext, child);
}

/**
 * The roster with the child of that id in another status; the same roster where it is not known (any more). A child that is
 * stopped keeps the ref of its last process.
 */
export function withStatus(roster: Roster, id: string, status: ChildStatus): Roster {
  const place = placeOf(roster, id);
  const child = place === undefined ? undefined : getIn(roster.byPlace, place);
  if (place === undefined || child === undefined) return roster;
  const kept = status.type === "stopped" ? { type: status.type, ref: child.status.ref } : status;
  return put(withoutRef(roster, child), place, { spec: child.spec, status: kept });
}

/** The roster without the child of that id. */
export function removeChild(roster: Roster, id: string): Roster {
  const place = placeOf(roster, id);
  const child = place === undefined ? undefined : getIn(roster.byPlace, place);
  if (place === undefined || child === undefined) return roster;
  const hash = hashOf(id);
  const others = (getIn(roster.places, hash) ?? []).filter((entry) => entry.id !== id);
  const places = others.length === 0 ? removeIn(roster.places, hash) : setIn(roster.places, hash, others);
  return { ...withoutRef(roster, child), byPlace: removeIn(roster.byPlace, place), places };
}

function put(roster: Roster, place: number, child: Child): Roster {
  const { status } = child;
  const refs = status.ref === undefined ? roster.refs : setIn(roster.refs, status.ref, place);
  return { ...roster, byPlace: setIn(roster.byPlace, place, child), refs };
}

function withoutRef(roster: Roster, { status }: Child): Roster {
  return status.ref === undefined ? roster : { ...roster, refs: removeIn(roster.refs, status.ref) };
}

function placeOf({ places }: Roster, id: string): number | undefined {
  return getIn(places, hashOf(id))?.find((entry) => entry.id === id)?.place;
}

/** FNV-1a, 32 bits, over UTF-16 units: ids that collide share an entry. */
function hashOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < id.length; index++) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
