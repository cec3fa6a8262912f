/**
 * Compares two traces of one case, step by step.
 *
 * Results, trees and the order of events must be equal, with one exception. Where OTP itself runs things side by side
 * there is no order to compare: processes whose supervisor was killed notice it at the same time, and a dynamic supervisor
 * stops its children at the same time. Their ends are compared for each process alone; every other event stays in order.
 */
import type { SimCase, Step, Trace } from "./case.ts";

/** The first step in which two traces differ. */
export interface Difference {
  readonly index: number;
  readonly otp: Step | undefined;
  readonly ours: Step | undefined;
}

/** Where the traces differ first; undefined where they are equal. */
export function firstDifference(kind: SimCase["kind"], otp: Trace, ours: Trace): Difference | undefined {
  const canonicalText = kind === "tree" ? treeText : procsText;
  const count = Math.max(otp.steps.length, ours.steps.length);
  for (let index = 0; index < count; index++) {
    const pair = { otp: otp.steps[index], ours: ours.steps[index] };
    if (canonicalText(pair.otp) !== canonicalText(pair.ours)) return { index, ...pair };
  }
  return undefined;
}

/** How many events a trace holds. */
export function eventCount({ steps }: Trace): number {
  return steps.reduce((sum, { events }) => sum + events.length, 0);
}

type Event = readonly unknown[];

/** Linked processes end at the same time: of what they do and say to others, only each one's own order counts. */
function procsText(step: Step | undefined): string {
  if (step === undefined) return "nothing";
  const { op, result, events } = step;
  const messages = op === "messages" && Array.isArray(result) ? inOrderBySender(result) : result;
  return JSON.stringify([op, messages, events.map((event) => JSON.stringify(event)).toSorted(), step.tree]);
}

function inOrderBySender(messages: readonly unknown[]): unknown {
  // The cast: ["EXIT", from, reason] and ["DOWN", ref, from, reason].
  const senderOf = (message: unknown) => String((message as readonly unknown[]).at(-2));
  const bySender = Map.groupBy(messages, senderOf);
  return [...bySender.keys()].toSorted().map((sender) => bySender.get(sender));
}

function treeText(step: Step | undefined): string {
  if (step === undefined) return "nothing";
  const { op, result, events, tree } = step;
  const isLoose = looseEnds(events);
  const loose = events.filter(isLoose).map(keyed);
  const ordered = events.filter((event) => !isLoose(event));
  return JSON.stringify([
    op,
    canonicalResult(result),
    ordered,
    loose.toSorted(byKey).map(([, , event]) => event),
    tree,
  ]);
}

/** What an answer says in no order: the keys of an object, and children of which_children that have no ids. */
function canonicalResult(result: unknown): unknown {
  if (!Array.isArray(result)) return sortedKeys(result);
  const items = result.map(canonicalResult);
  return items.some(isNumbered) ? items.map((item) => JSON.stringify(withoutLostNumber(item))).toSorted() : items;
}

/** A line of which_children about a child without an id of its own. */
function isNumbered(item: unknown): boolean {
  return Array.isArray(item) && item.length === 3 && /^(\d+|undefined)$/.test(String(item[0]));
}

/** OTP does not say which of them is restarting. */
function withoutLostNumber(item: unknown): unknown {
  return Array.isArray(item) && item[1] === "restarting" ? ["undefined", ...item.slice(1)] : item;
}

/** Tells the events of processes that ended side by side with others. */
function looseEnds(events: readonly Event[]): (event: Event) => boolean {
  const downs = events.filter(([name]) => name === "down");
  const parallel = downs
    .filter((down) => down[3] === "killed" || numberedEnds(downs, down[1]) > 1)
    .map(([, path]) => `${String(path)}/`);
  return ([name, path]) =>
    (name === "terminate" || name === "down") && parallel.some((prefix) => String(path).startsWith(prefix));
}

/** How many children without ids of their own (paths that end in a number) ended under this path. */
function numberedEnds(downs: readonly Event[], parent: unknown): number {
  const prefix = `${String(parent)}/`;
  return downs.filter(([, path]) => {
    const text = String(path);
    return text.startsWith(prefix) && /^\d+$/.test(text.slice(prefix.length));
  }).length;
}

function nameOf([, path, n]: Event): string {
  return `${String(path)}#${String(n)}`;
}

function keyed(event: Event, index: number): readonly [key: string, index: number, event: Event] {
  return [nameOf(event), index, event];
}

function byKey(
  [keyA, indexA]: readonly [string, number, Event],
  [keyB, indexB]: readonly [string, number, Event],
): number {
  return keyA === keyB ? indexA - indexB : keyA < keyB ? -1 : 1;
}

function sortedKeys(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries);
}
