/**
 * The report of a search: one HTML file that needs nothing else. It opens from a disk, asks no network, and runs no script but its own.
 *
 *   record -> story -> figures -> drawings -> page
 *
 * Invariants
 * 1. Pure: equal records give equal bytes.
 * 2. Whatever candidates, models or logs say is text (html.ts); were it not, the page's policy lets only the script with our hash run.
 * 3. Bounded: it grows with what is shown, and how much is shown is bounded everywhere. Some 3 MB at most.
 */
import { createHash } from "node:crypto";
import { changeLines } from "./change.ts";
import { card, step } from "./cards.ts";
import { codeBlock, diffBlock } from "./code.ts";
import { curvesOf } from "./curves.ts";
import { drawCurves } from "./draw-curves.ts";
import { drawHeat } from "./draw-heat.ts";
import { drawTree } from "./draw-tree.ts";
import { countText } from "./figures.ts";
import { heatOf } from "./heat.ts";
import { markup } from "./html.ts";
import type { Html } from "./html.ts";
import type { RunRecord } from "./record.ts";
import { script } from "./script.ts";
import { lineOf, storyOf } from "./story.ts";
import type { Story } from "./story.ts";
import { style } from "./style.ts";
import { endText, funnel, pairs, tiles, yieldTable } from "./tables.ts";
import { mostTelling, treeOf } from "./tree.ts";
import { funnelOf, yieldsOf } from "./yields.ts";

/** Steps to the best program that are listed. */
const STEPS_MAX = 48;
/** Markup of the best program's text, and of its difference from the first parent. */
const SOURCE_MARKUP_MAX = 500_000;
const DIFFERENCE_MARKUP_MAX = 200_000;
/** Options, and remarks, that are listed. */
const PAIRS_MAX = 200;
const REMARKS_MAX = 20;

/** The report as the text of an HTML file. */
export function renderReport(record: RunRecord): string {
  const story = storyOf(record);
  const { started } = story;
  const hash = createHash("sha256").update(script.toString()).digest("base64");
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${started?.problem ?? "a search"} – report of a search</title>
<style>${style}</style>
</head>
<body>
${header(story)}
<main>
${tiles(story)}
${charts(story)}
${lineage(story)}
${work(story)}
${winner(story)}
${machine(story)}
</main>
<script>${script}</script>
</body>
</html>
`;
  return page.toString();
}

function header(story: Story): Html {
  const { started, record } = story;
  const remarks = (record.remarks ?? []).slice(0, REMARKS_MAX).map((remark) => markup`<p class="remark">${remark}</p>`);
  const run = started === undefined ? "no search was begun" : `run ${started.runId}, seed ${started.seed}`;
  return markup`<header><h1>${started?.problem ?? "A search"}</h1><p>${run} <span class="pill">${endText(story)}</span></p>${remarks}</header>`;
}

function charts(story: Story): Html {
  const heat = heatOf(story);
  return markup`<div class="pair"><section><h2>Best so far, island by island</h2>${drawCurves(curvesOf(story), story.programs.length)}</section><section><h2>Archive: the best of each kind</h2>${drawHeat(heat, story.best?.event.id)}</section></div>`;
}

function lineage(story: Story): Html {
  const { best, programs } = story;
  const nodes = treeOf(story);
  const line = lineOf(best);
  const listed = mostTelling(line, STEPS_MAX);
  const folded = programs.length - nodes.length;
  const says = `${countText(programs.length)} programs, ${folded === 0 ? "all of them shown" : `${countText(nodes.length)} shown: the line of the best, the best of each island, and who gained most`}. Larger is better, colours are islands, the ring is the best.${folded === 0 ? "" : " A number counts descendants that are folded away, a dashed line skips some."}`;
  const left = line.length - listed.length;
  const hidden =
    left === 0
      ? undefined
      : markup`<p class="note">${countText(left)} steps that changed the score least are left out.</p>`;
  const steps =
    best === undefined
      ? markup`<p class="empty">There is no best program.</p>`
      : markup`<ol class="steps">${listed.map((program) => step(program, story))}</ol>${hidden}`;
  const touched =
    nodes.length === 0
      ? undefined
      : markup`<div id="panel" aria-live="polite"><p class="note">Point at a program, or tap it, to see what it changed.</p></div><div hidden>${nodes.map(({ program }) => card(program, story))}</div>`;
  return markup`<section><h2>Lineage</h2><p class="note">${says}</p>${drawTree(nodes, best)}${touched}</section><section><h2>The way to the best program</h2><p class="note">${countText(Math.max(0, line.length - 1))} changes, one after the other. Open one to see it.</p>${steps}</section>`;
}

function work(story: Story): Html {
  const yields = yieldsOf(story);
  return markup`<section><h2>Operator yield</h2>${yieldTable(yields)}</section><section><h2>From proposal to winner</h2>${funnel(funnelOf(story, yields))}</section>`;
}

function winner({ best }: Story): Html {
  if (best === undefined)
    return markup`<section><h2>The best program</h2><p class="empty">No program was asked every case.</p></section>`;
  const first = lineOf(best)[0] ?? best;
  const { text } = best.event;
  const difference =
    first === best
      ? markup`<p class="empty">The best program is a first parent: nothing that was found is better.</p>`
      : diffBlock(changeLines(first.event.text, text), DIFFERENCE_MARKUP_MAX);
  return markup`<section><h2>The best program</h2><p class="note">${countText(text.length)} characters; SHA-256 ${best.event.id}</p><h3>Difference from the first parent</h3>${difference}<details><summary>The whole text</summary>${codeBlock(text.split("\n"), SOURCE_MARKUP_MAX)}</details></section>`;
}

function machine({ started, record, lastGeneration }: Story): Html {
  const { context } = record;
  const options = Object.entries(context?.options ?? {}).slice(0, PAIRS_MAX);
  const known: readonly (readonly [string, string])[] =
    started === undefined
      ? []
      : [
          ["seed", String(started.seed)],
          ["cases", countText(started.cases)],
          ["islands", `${started.islands} of ${started.populationPerIsland} programs`],
          ["mutators", started.mutators.slice(0, PAIRS_MAX).join(", ")],
        ];
  const names = new Set(known.map(([name]) => name));
  const where = [...Object.entries(context?.machine ?? {}), ...Object.entries(context?.versions ?? {})].slice(
    0,
    PAIRS_MAX,
  );
  const place = where.length === 0 ? markup`<p class="empty">The log does not say where it ran.</p>` : pairs(where);
  const hash = lastGeneration === undefined ? "none" : lastGeneration.hash;
  return markup`<div class="pair"><section><h2>Options</h2>${pairs([...known, ...options.filter(([name]) => !names.has(name)), ["hash of all that was known", hash]])}</section><section><h2>Machine and versions</h2>${place}</section></div>`;
}
