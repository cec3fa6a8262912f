/**
 * Where the story is told: a terminal with colours and a living last line, a plain stream of lines, or nowhere.
 *
 * Invariants
 * 1. Without a terminal nothing but whole lines is written, and no escape sequence.
 * 2. The living line is gone when the screen is closed.
 */
import { styleText } from "node:util";

/** The part of a stream that a screen needs. */
export interface Paper {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Styles in use. */
export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** Colours a text, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

/** Lines are not wrapped wider than this, in columns: longer ones are hard to read. */
const WIDTH_MAX = 110;
/** Width where nobody says how wide the paper is. */
const WIDTH_PLAIN = 100;

/** Writes lines, and on a terminal a last line that changes. */
export class Screen {
  readonly width: number;
  readonly paint: Paint;
  readonly #paper: Paper;
  readonly #isLive: boolean;
  #living = "";

  constructor(paper: Paper, env: Readonly<Record<string, string | undefined>>) {
    this.#paper = paper;
    this.#isLive = paper.isTTY === true;
    const { columns = 0 } = paper; // some terminals say 0 when they do not know
    this.width = Math.min(WIDTH_MAX, columns > 0 ? columns : WIDTH_PLAIN);
    const isColoured = this.#isLive && (env["NO_COLOR"] ?? "") === "";
    this.paint = isColoured ? (style, text) => styleText(style, text, { validateStream: false }) : (_, text) => text;
  }

  /** Writes lines above the living one. */
  lines(lines: readonly string[]): void {
    this.#erase();
    this.#paper.write(lines.map((line) => `${line}\n`).join(""));
    this.#draw();
  }

  /** Replaces the living line. Nothing happens where there is no terminal. */
  living(text: string): void {
    if (!this.#isLive) return;
    this.#erase();
    this.#living = text.slice(0, this.width - 1);
    this.#draw();
  }

  /** Takes the living line away. */
  close(): void {
    this.#erase();
    this.#living = "";
  }

  #erase(): void {
    if (this.#living !== "") this.#paper.write("\r\u001B[2K");
  }

  #draw(): void {
    if (this.#living !== "") this.#paper.write(this.paint("dim", this.#living));
  }
}

/** Paper that keeps nothing. */
export const noPaper: Paper = { write: () => true };
