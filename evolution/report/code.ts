/** Texts of programs in a report: line by line, coloured where they are a difference, and never more than so much markup. */
import { countText } from "./figures.ts";
import { joined, markup } from "./html.ts";
import type { Html } from "./html.ts";

/** A text as a block. What is beyond `markupMax` characters of markup is counted instead. */
export function codeBlock(lines: readonly string[], markupMax: number): Html {
  return block(lines, markupMax, (line) => markup`${line}`);
}

/** The lines of a difference as a block, in their colours. */
export function diffBlock(lines: readonly string[], markupMax: number): Html {
  return block(lines, markupMax, (line) => {
    const kind = KINDS[line[0] ?? ""];
    return kind === undefined ? markup`${line}` : markup`<span class="${kind}">${line}</span>`;
  });
}

const KINDS: Readonly<Record<string, string>> = { "+": "add", "-": "del", "@": "at" };

function block(all: readonly string[], markupMax: number, show: (line: string) => Html): Html {
  const lines = all.at(-1)?.trim() === "" ? all.slice(0, -1) : all; // behind the last line end is nothing to see
  const shown: Html[] = [];
  let characters = 0;
  for (const line of lines) {
    const piece = show(line);
    characters += piece.length + 1;
    if (characters > markupMax) break;
    shown.push(piece);
  }
  const left = lines.length - shown.length;
  const rest = left === 0 ? undefined : markup`<p class="note">${countText(left)} lines more are not shown.</p>`;
  return markup`<pre tabindex="0"><code>${joined(shown)}</code></pre>${rest}`;
}
