/**
 * How far an agent has come in a topic. It stands in the agent's own branch, under `p:<topic>`, and moves in the commit of the
 * turn that handled a publication: each is handled once.
 *
 *   { agent, method, of, id, after: 41, done: [[43, 44]] }     41 and all before it are handled, and 44, which came after 43
 *
 * `done` is filled only where publications end out of order (one that is set aside at the door while others are on their way).
 */
import type { BranchId, Op, View } from "../vault/index.ts";
import { textOf } from "./agent-record.ts";

/** An agent's subscription to one topic. */
export interface TopicPlace {
  /** Whose it is: in a fork's branch it is still its parent's. */
  readonly agent: string;
  readonly method: string;
  /** The topic's branch: one that was dropped and made again is another topic. */
  readonly of: BranchId;
  /** Another one for each time the agent subscribes: what was on its way for an earlier subscription moves nothing. */
  readonly id: string;
  /** Number of the newest publication before which all are handled or gone. */
  readonly after: number;
  /** Handled ahead of their turn, each with the one that it was delivered behind. */
  readonly done: readonly (readonly [behind: number, seq: number])[];
}

const PREFIX = "p:";

/** The place in a branch; undefined for one that subscribes to no such topic, or holds another agent's place. */
export function placeIn(view: Pick<View, "get">, agent: string, topic: string): TopicPlace | undefined {
  const value = view.get(PREFIX + topic);
  const place = value === undefined ? undefined : (JSON.parse(textOf(value)) as TopicPlace); // written by placeOp alone
  return place?.agent === agent ? place : undefined;
}

/** The topics that an agent subscribes to. */
export function* topicsIn(view: View, agent: string): Iterable<string> {
  for (const [key] of view.range({ prefix: PREFIX })) {
    const topic = key.slice(PREFIX.length);
    if (placeIn(view, agent, topic) !== undefined) yield topic;
  }
}

/** The topics that a branch holds places in, its agent's own or not, before or after a turn's own writes. */
export function placeNames(keys: (prefix: string) => ReadonlySet<string>): readonly string[] {
  return [...keys(PREFIX)].map((key) => key.slice(PREFIX.length));
}

/** The op that stores a place, or ends the subscription. */
export function placeOp(topic: string, place: TopicPlace | undefined): Op {
  const key = PREFIX + topic;
  return place === undefined ? { delete: key } : { put: key, value: Buffer.from(JSON.stringify(place)) };
}

/** The ops that give `to` the places of `from`: of an agent that goes on in another branch. */
export function movePlacesOps(from: View, to: View): Op[] {
  const ops: Op[] = [...to.range({ prefix: PREFIX })].map(([key]) => ({ delete: key }));
  for (const [key, value] of from.range({ prefix: PREFIX })) ops.push({ put: key, value });
  return ops;
}

/** The place once `seq`, which was delivered behind `behind`, is handled. */
export function handled(place: TopicPlace, seq: number, behind: number): TopicPlace {
  if (seq <= place.after || isHandled(place, seq)) return place;
  let after = place.after;
  let rest: (readonly [behind: number, seq: number])[] = [...place.done, [behind, seq]];
  for (let next = rest.find(([before]) => before <= after); next !== undefined;) {
    after = Math.max(after, next[1]);
    rest = rest.filter((each) => each !== next);
    next = rest.find(([before]) => before <= after);
  }
  return { ...place, after, done: rest };
}

/** Whether a publication was handled. */
export function isHandled(place: TopicPlace, seq: number): boolean {
  return seq <= place.after || place.done.some(([, done]) => done === seq);
}
