/** What is said of one program: where it comes from, what it scored, what it changed. */
import { changeLines } from "./change.ts";
import { diffBlock } from "./code.ts";
import { COLOURS } from "./draw-curves.ts";
import { countText, gainText, scoreText, usdText } from "./figures.ts";
import { markup } from "./html.ts";
import type { Html } from "./html.ts";
import { gainOf, isSeed } from "./story.ts";
import type { Program, Story } from "./story.ts";

/** Markup of one program's change. A report has some two hundred of them. */
const CHANGE_MARKUP_MAX = 3_500;
/** Characters of a note. */
const NOTE_MAX = 300;

/** A card that the tree shows when its node is touched. */
export function card(program: Program, story: Story): Html {
  return markup`<div class="card" id="c${program.index}">${heading(program)}${facts(program, story)}${change(program)}</div>`;
}

/** A step on the way to the best program, closed at first. */
export function step(program: Program, story: Story): Html {
  const { event, parent } = program;
  const gain = parent === undefined ? "first parent" : gainText(gainOf(program));
  return markup`<li><details><summary><span class="score">${scoreText(event.score)}</span> <span class="gain${gainOf(program) > 0 ? " up" : ""}">${gain}</span> <span class="by">${saidBy(program)}</span></summary>${facts(program, story)}${change(program)}</details></li>`;
}

function heading({ event, parent, isWhole }: Program): Html {
  const gain =
    parent === undefined
      ? markup``
      : markup`<span class="gain${event.score > parent.event.score ? " up" : ""}">${isWhole ? gainText(event.score - parent.event.score) : "ended early"}</span>`;
  return markup`<p class="head i${event.island % COLOURS}"><i></i><span class="score">${scoreText(event.score)}</span>${gain}</p>`;
}

function saidBy(program: Program): string {
  const { event } = program;
  if (isSeed(program)) return "given at the start";
  return event.note === undefined || event.note === event.mutator
    ? event.mutator
    : `${event.mutator}: ${event.note.slice(0, NOTE_MAX)}`;
}

function facts(program: Program, { started }: Story): Html {
  const { event, parent } = program;
  const rows: readonly (readonly [string, string])[] = [
    ["change by", saidBy(program)],
    ["where", `island ${event.island + 1}, generation ${countText(event.generation)}, slot ${event.slot}`],
    [
      "cases",
      event.asked === 0
        ? "none: it does not load"
        : `${countText(event.asked)} of ${countText(started?.cases ?? event.asked)} asked`,
    ],
    ["size", `${countText(event.text.length)} characters, ${countText(event.fuel)} steps a call`],
    ...(event.usd > 0 ? [["cost", usdText(event.usd)] as const] : []),
    ["program", `${event.id.slice(0, 12)}${parent === undefined ? "" : ` from ${parent.event.id.slice(0, 12)}`}`],
  ];
  return markup`<dl>${rows.map(([name, value]) => markup`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

function change({ event, parent }: Program): Html {
  return parent === undefined ? markup`` : diffBlock(changeLines(parent.event.text, event.text), CHANGE_MARKUP_MAX);
}
