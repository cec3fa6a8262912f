/**
 * HTML out of templates in which every value is text. Most of what a report shows was written by candidates or by models, so nothing
 * can become markup but what stands in a template of ours.
 *
 *     markup`<td title="${note}">${text}</td>`      values -> plain, bounded, escaped; Html and lists of it -> as they are
 *
 * Invariants
 * 1. There is no way to make `Html` from a string that is not written in a source file.
 * 2. Values stand between tags or in double quotes; both are safe with what is escaped here.
 */
import { clipped } from "../plain-text.ts";

/** Characters of one value. */
const VALUE_MAX = 2_000;

/** Markup that was made by a template. */
export class Html {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  /** The tag `markup`. */
  static of(this: void, parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
    return new Html(parts.map((part, index) => part + (index < values.length ? textOf(values[index]) : "")).join(""));
  }

  /** In characters. */
  get length(): number {
    return this.#text.length;
  }

  toString(): string {
    return this.#text;
  }
}

/** What may stand in a template. Nothing is shown for `undefined`. */
export type HtmlValue = string | number | Html | readonly Html[] | undefined;

/** See the header. Not named `html`: formatters would lay its templates out anew, and the script's hash would not fit. */
export const markup: (parts: TemplateStringsArray, ...values: readonly HtmlValue[]) => Html = Html.of;

/** Pieces with line feeds between them. */
export function joined(pieces: readonly Html[]): Html {
  return markup`${pieces.map((piece, index) => (index === 0 ? piece : markup`\n${piece}`))}`;
}

function textOf(value: HtmlValue): string {
  if (value === undefined) return "";
  if (value instanceof Html) return value.toString();
  if (typeof value === "object") return value.map(String).join("");
  return escaped(clipped(String(value), VALUE_MAX));
}

const CODES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => CODES[character] ?? "");
}
