/** The archive's map as a drawing. */
import { countText, scoreText, shortCount } from "./figures.ts";
import { charactersFrom, stepsFrom } from "./heat.ts";
import type { HeatCell } from "./heat.ts";
import { markup } from "./html.ts";
import type { Html } from "./html.ts";

const WIDTH = 520;
const HEIGHT = 290;
const LEFT = 64;
const RIGHT = 14;
const TOP = 30;
const BOTTOM = 48;
/** Shades from the worst to the best. */
const SHADES = 7;
/** A field is no larger, or a small archive looks like a flag. */
const FIELD_WIDTH_MAX = 110;
const FIELD_HEIGHT_MAX = 46;
/** From this width on a field has room for its score. */
const TEXT_WIDTH_MIN = 40;
const TEXT_HEIGHT_MIN = 20;
/** Between two numbers on an axis. */
const TICK_WIDTH_MIN = 52;
const TICK_HEIGHT_MIN = 30;

interface Grid {
  readonly columns: Axis;
  readonly rows: Axis;
  readonly worst: number;
  readonly best: number;
}

interface Axis {
  readonly from: number;
  readonly count: number;
  /** Of one field. */
  readonly pixels: number;
}

/** Fields coloured by the score of their best; `best` is outlined. */
export function drawHeat(cells: readonly HeatCell[], best: string | undefined): Html {
  if (cells.length === 0) return markup`<p class="empty">The archive is empty: no program was asked every case.</p>`;
  const scores = cells.map(({ best }) => best.event.score);
  const grid: Grid = {
    columns: axisOf(
      cells.map(({ size }) => size),
      WIDTH - LEFT - RIGHT,
      FIELD_WIDTH_MAX,
    ),
    rows: axisOf(
      cells.map(({ steps }) => steps),
      HEIGHT - TOP - BOTTOM,
      FIELD_HEIGHT_MAX,
    ),
    worst: Math.min(...scores),
    best: Math.max(...scores),
  };
  // The outlined one last, above its neighbours.
  const ordered = cells.toSorted((a, b) => Number(a.best.event.id === best) - Number(b.best.event.id === best));
  const fields = ordered.map((cell) => field(cell, grid, cell.best.event.id === best));
  const says = `${cells.length} kinds of programs by size and steps; scores from ${scoreText(grid.worst)} to ${scoreText(grid.best)}.`;
  return markup`<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${says}">${fields}${axes(grid)}</svg>${ramp(grid)}`;
}

function axisOf(places: readonly number[], pixels: number, fieldMax: number): Axis {
  const from = places.reduce((least, place) => Math.min(least, place), Infinity);
  const count = places.reduce((most, place) => Math.max(most, place), 0) - from + 1;
  return { from, count, pixels: Math.min(fieldMax, pixels / count) };
}

function field({ size, steps, best: { event }, count }: HeatCell, grid: Grid, isBest: boolean): Html {
  const { columns, rows } = grid;
  const x = LEFT + (size - columns.from) * columns.pixels;
  const y = HEIGHT - BOTTOM - (steps - rows.from + 1) * rows.pixels;
  const hasRoom = columns.pixels >= TEXT_WIDTH_MIN && rows.pixels >= TEXT_HEIGHT_MIN;
  const label = markup`<text x="${place(x + columns.pixels / 2)}" y="${place(y + rows.pixels / 2 + 4)}" text-anchor="middle">${event.score.toFixed(2)}</text>`;
  const says = `best ${scoreText(event.score)} of ${countText(count)} programs with ${countText(charactersFrom(size))} characters or more, ${countText(stepsFrom(steps))} steps or more; island ${event.island + 1}, generation ${event.generation}`;
  return markup`<g class="q${shadeOf(event.score, grid)}${isBest ? " top" : ""}"><rect x="${place(x + 1)}" y="${place(y + 1)}" width="${place(columns.pixels - 2)}" height="${place(rows.pixels - 2)}" rx="3"><title>${says}</title></rect>${hasRoom ? label : undefined}</g>`;
}

function shadeOf(score: number, { worst, best }: Grid): number {
  return best === worst ? SHADES - 1 : Math.min(SHADES - 1, Math.floor((SHADES * (score - worst)) / (best - worst)));
}

function axes({ columns, rows }: Grid): Html {
  const bottom = HEIGHT - BOTTOM;
  const sizes = borders(columns, TICK_WIDTH_MIN).map(
    (at) =>
      markup`<text class="tick" x="${place(LEFT + at * columns.pixels)}" y="${bottom + 20}" text-anchor="middle">${shortCount(charactersFrom(columns.from + at))}</text>`,
  );
  const steps = borders(rows, TICK_HEIGHT_MIN).map(
    (at) =>
      markup`<text class="tick" x="${LEFT - 8}" y="${place(bottom - at * rows.pixels + 4)}" text-anchor="end">${shortCount(stepsFrom(rows.from + at))}</text>`,
  );
  return markup`<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${bottom}" y2="${bottom}" /><line class="axis" x1="${LEFT}" x2="${LEFT}" y1="${TOP}" y2="${bottom}"/>${sizes}${steps}<text class="name" x="${WIDTH - RIGHT}" y="${HEIGHT - 6}" text-anchor="end">characters of the program</text><text class="name" x="${LEFT - 8}" y="${TOP - 14}">steps a call</text>`;
}

/** Which borders between fields have a number: as many as there is room for. */
function borders({ count, pixels }: Axis, pixelsMin: number): readonly number[] {
  const every = Math.max(1, Math.ceil(pixelsMin / pixels));
  return Array.from({ length: Math.floor(count / every) + 1 }, (_, index) => index * every);
}

function ramp({ worst, best }: Grid): Html {
  const shades = Array.from({ length: SHADES }, (_, shade) => markup`<i class="q${shade}"></i>`);
  return markup`<p class="ramp"><span>${scoreText(worst)}</span>${worst === best ? markup`<i class="q${SHADES - 1}"></i>` : shades}<span>${scoreText(best)}</span> best score of its kind; the winner is outlined</p>`;
}

function place(value: number): string {
  return String(Math.round(value * 10) / 10);
}
