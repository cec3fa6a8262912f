/**
 * A desk that takes comments in: what its documents promise, and ordinary traffic. Authors write texts in which four tags may stand;
 * whatever else looks like markup is shown as text, and nobody may post too often.
 *
 * Documented
 * 1. A message is { author, text }: author a text of 1 to 40 characters, text one of 1 to 500. Anything else: { kind: "refused" }.
 * 2. An author who has posted three times in less than ten seconds: { kind: "wait" }.
 * 3. Everybody else: { kind: "posted", html }, which is the text with <b>, </b>, <i> and </i> as they are and every other
 *    & < > as &amp; &lt; &gt;.
 * 4. It answers every message: nothing makes it throw, run for ever, or change what it does not own.
 */
import { seededRandom } from "../../../runtime/index.ts";
import type { Session, Turn } from "../../red-blue/defence.ts";
import { below } from "../../population/chance.ts";
import { oneOf, seedOf } from "../draws.ts";

const AUTHOR_MAX = 40;
const TEXT_MAX = 500;
const WINDOW_MS = 10_000;
const POSTS_MAX = 3;
const MARKUP = /<\/?[bi]>|[&<>]/g;
const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/** The documented answers. */
export function answersTo(session: Session): readonly unknown[] {
  const posts = new Map<string, number[]>();
  return session.map(({ message, at }) => {
    const { author, text } = partsOf(message);
    if (!isText(author, AUTHOR_MAX) || !isText(text, TEXT_MAX)) return { kind: "refused" };
    const recent = (posts.get(author) ?? []).filter((time) => at - time < WINDOW_MS);
    if (recent.length >= POSTS_MAX) return { kind: "wait" };
    posts.set(author, [...recent, at]);
    return { kind: "posted", html: text.replaceAll(MARKUP, (found) => ENTITIES[found] ?? found) };
  });
}

/** Markup that nobody may post, in what is shown to everybody. */
export function hasMarkup(answer: unknown): boolean {
  const { html } = partsOf(answer);
  return typeof html === "string" && /[<>]/.test(html.replaceAll(/<\/?[bi]>/g, ""));
}

function partsOf(value: unknown): Readonly<Record<string, unknown>> {
  // A property that is not there is undefined, whatever the object.
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function isText(value: unknown, max: number): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= max;
}

const AUTHORS: readonly string[] = ["ann", "bob", "cyd", "dora"];
const PHRASES: readonly string[] = [
  "hello everybody",
  "what a <b>day</b>",
  "I <i>like</i> it",
  "salt & pepper",
  "<b>yes</b> and <i>no</i>",
  "see you at ten",
];
/** Between two messages of a busy day; the shortest are those of somebody who writes too fast. No sum of them is the window itself. */
const GAPS_MS: readonly number[] = [503, 701, 1_507, 4_003, 12_007];

/** Ordinary sessions of a seed. */
export function trafficOf(seed: number, sessions: number): readonly Session[] {
  return Array.from({ length: sessions }, (_, index) => {
    const random = seededRandom(seedOf(seed, index));
    const authors = AUTHORS.slice(0, 1 + below(random, AUTHORS.length));
    let at = 0;
    return Array.from({ length: 12 }, (): Turn => {
      at += oneOf(random, GAPS_MS);
      return { message: { author: oneOf(random, authors), text: oneOf(random, PHRASES) }, at };
    });
  });
}
