/** The tree of descent as a drawing. Its nodes name the cards that say what changed. */
import { COLOURS } from "./draw-curves.ts";
import { countText, gainText, scoreText, shortCount } from "./figures.ts";
import { markup } from "./html.ts";
import type { Html } from "./html.ts";
import { gainOf } from "./story.ts";
import type { Program } from "./story.ts";
import type { TreeNode } from "./tree.ts";

const ROW = 20;
const MARGIN = 22;
const COLUMN_MIN = 30;
const COLUMN_MAX = 84;
/** What a wide page has room for. */
const WIDTH_WANTED = 1_060;
/** Room for the last label. */
const TAIL = 46;
const RADIUS_MIN = 3;
const RADIUS_MORE = 5;

interface Frame {
  readonly column: number;
  readonly worst: number;
  readonly best: number;
}

/** Nodes from the first parents on the left; `best` has a ring. */
export function drawTree(nodes: readonly TreeNode[], best: Program | undefined): Html {
  if (nodes.length === 0) return markup`<p class="empty">No program was run.</p>`;
  const columns = nodes.reduce((most, { column }) => Math.max(most, column), 0);
  const rows = nodes.reduce((most, { row }) => Math.max(most, row), 0);
  const scores = nodes.map(({ program }) => program.event.score);
  const frame: Frame = {
    column: Math.max(COLUMN_MIN, Math.min(COLUMN_MAX, (WIDTH_WANTED - 2 * MARGIN) / Math.max(1, columns))),
    worst: Math.min(...scores),
    best: Math.max(...scores),
  };
  const width = Math.ceil(2 * MARGIN + columns * frame.column + TAIL);
  const height = 2 * MARGIN + rows * ROW;
  // Edges of the line of the best above others, and nodes above them all.
  const edges = nodes.toSorted((a, b) => Number(a.isOnLine) - Number(b.isOnLine)).map((node) => edge(node, frame));
  return markup`<div class="scroll tall" tabindex="0" role="group" aria-label="lineage tree"><svg width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${edges}${nodes.map((node) => circle(node, frame, node.program === best))}</svg></div>`;
}

function edge({ parent, column, row, isOnLine, skipped }: TreeNode, frame: Frame): Html {
  if (parent === undefined) return markup``;
  const [x1, y1] = [xOf(parent.column, frame), yOf(parent.row)];
  const [x2, y2] = [xOf(column, frame), yOf(row)];
  const bend = frame.column / 2;
  const path = y1 === y2 ? `M${x1} ${y1}H${x2}` : `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
  return markup`<path class="edge${isOnLine ? " line" : ""}${skipped > 0 ? " skip" : ""}" d="${path}" />`;
}

function circle(node: TreeNode, frame: Frame, isBest: boolean): Html {
  const { program, column, row, folded } = node;
  const { event, index } = program;
  const [x, y] = [xOf(column, frame), yOf(row)];
  const radius = radiusOf(event.score, frame);
  const ring = markup`<circle class="ring" cx="${x}" cy="${y}" r="${radius + 4}" />`;
  const fold = markup`<text class="fold" x="${x + radius + (isBest ? 6 : 1)}" y="${y - 5}">+${shortCount(folded)}</text>`;
  return markup`<g class="node i${event.island % COLOURS}${program.isWhole ? "" : " cut"}" data-card="c${index}" tabindex="0" role="button" aria-label="${titleOf(node)}">${isBest ? ring : undefined}<circle class="hit" cx="${x}" cy="${y}" r="11" /><circle class="disc" cx="${x}" cy="${y}" r="${radius}"/><title>${titleOf(node)}</title>${folded > 0 ? fold : undefined}</g>`;
}

function titleOf({ program, skipped, folded }: TreeNode): string {
  const { event, parent } = program;
  const gain = parent === undefined ? "" : ` (${gainText(gainOf(program))})`;
  const note = event.note === undefined || event.note === event.mutator ? "" : `: ${event.note.slice(0, 120)}`;
  const between = skipped === 0 ? "" : `; ${countText(skipped)} programs before it are folded`;
  const more = folded === 0 ? "" : `; ${countText(folded)} descendants are folded`;
  return `score ${scoreText(event.score)}${gain}, ${event.mutator}${note}, island ${event.island + 1}, generation ${event.generation}${between}${more}`;
}

/** The area grows with the score: from the worst that is shown to the best. */
function radiusOf(score: number, { worst, best }: Frame): number {
  const share = best === worst ? 0.5 : (score - worst) / (best - worst);
  return Math.round((RADIUS_MIN + RADIUS_MORE * Math.sqrt(share)) * 10) / 10;
}

function xOf(column: number, frame: Frame): number {
  return Math.round((MARGIN + column * frame.column) * 10) / 10;
}

function yOf(row: number): number {
  return MARGIN + row * ROW;
}
