/**
 * A topic in the vault: a branch `~topic:<name>` of its own, and what stands in it.
 *
 *   head           which publications are kept, and how many may be (JSON)
 *   p:<seq>        one publication: the encoded value { topic, seq, timeMs, from?, value }
 *   s:<agent>      this agent subscribes; its place stands in its own branch (topic-place.ts)
 *
 * Invariants
 * 1. Numbers rise by one from 1; those kept are consecutive, and the newest one is always among them.
 * 2. What is too old goes in the commit that brings one too many, a bounded number at a time.
 */
import type { Op, Vault, View } from "../vault/index.ts";
import { textOf } from "./agent-record.ts";

/** Which publications are kept. */
export interface TopicHead {
  /** Number of the newest one; 0 before the first. */
  readonly last: number;
  /** Number of the oldest one that is kept; `last + 1` where there is none. */
  readonly first: number;
  /** How many are kept. */
  readonly retain: number;
}

/** Names of topics' branches begin like this; `~` keeps them apart from agents. */
const BRANCH_PREFIX = "~topic:";
const HEAD_KEY = "head";
const PUBLICATION_PREFIX = "p:";
const SUBSCRIBER_PREFIX = "s:";
/** Old publications that one commit takes away at most: after `retain` was lowered it takes a few to get there. */
const REMOVED_PER_COMMIT = 64;

/** The name of a topic's branch. */
export function topicBranchName(topic: string): string {
  return BRANCH_PREFIX + topic;
}

/** The names of all topics, in order. */
export function topicNamesIn(vault: Pick<Vault, "names">): readonly string[] {
  const names = vault.names().map(({ name }) => name);
  return names.filter((name) => name.startsWith(BRANCH_PREFIX)).map((name) => name.slice(BRANCH_PREFIX.length));
}

/** Where the topic stands; `retain` counts where nothing was written yet. */
export function headOf(view: Pick<View, "get"> | undefined, retain: number): TopicHead {
  const value = view?.get(HEAD_KEY);
  if (value === undefined) return { last: 0, first: 1, retain };
  return JSON.parse(textOf(value)) as TopicHead; // written by headOp alone
}

/** The ops that add one publication, and take away what is too old for it. */
export function publicationOps(
  head: TopicHead,
  text: string,
): { readonly head: TopicHead; readonly ops: readonly Op[] } {
  const last = head.last + 1;
  const trimmed = trim({ ...head, last });
  const put = { put: publicationKey(last), value: Buffer.from(text) };
  return { head: trimmed.head, ops: [put, ...trimmed.ops] };
}

/** The ops that change how many publications are kept. */
export function retainOps(head: TopicHead, retain: number): { readonly head: TopicHead; readonly ops: readonly Op[] } {
  return trim({ ...head, retain });
}

/** The text of a publication. */
export function publicationIn(view: View, seq: number): string | undefined {
  const value = view.get(publicationKey(seq));
  return value === undefined ? undefined : textOf(value);
}

/** The op that makes an agent known as a subscriber, or forgets it. */
export function subscriberOp(agent: string, isSubscribed: boolean): Op {
  const key = SUBSCRIBER_PREFIX + agent;
  return isSubscribed ? { put: key, value: new Uint8Array() } : { delete: key };
}

/** Whether an agent subscribes. */
export function hasSubscriber(view: View, agent: string): boolean {
  return view.has(SUBSCRIBER_PREFIX + agent);
}

/** The agents that subscribe. */
export function* subscribersIn(view: View): Iterable<string> {
  for (const [key] of view.range({ prefix: SUBSCRIBER_PREFIX })) yield key.slice(SUBSCRIBER_PREFIX.length);
}

function trim(head: TopicHead): { readonly head: TopicHead; readonly ops: readonly Op[] } {
  const ops: Op[] = [];
  let { first } = head;
  while (head.last - first + 1 > head.retain && ops.length < REMOVED_PER_COMMIT) {
    ops.push({ delete: publicationKey(first) });
    first += 1;
  }
  const after = { ...head, first };
  return { head: after, ops: [...ops, { put: HEAD_KEY, value: Buffer.from(JSON.stringify(after)) }] };
}

/** Sixteen digits keep byte order and number order the same. */
function publicationKey(seq: number): string {
  return PUBLICATION_PREFIX + String(seq).padStart(16, "0");
}
