/** The curves as a drawing. */
import type { Curve } from "./curves.ts";
import { scoreText, shortCount, ticksOf } from "./figures.ts";
import { markup } from "./html.ts";
import type { Html } from "./html.ts";

const WIDTH = 520;
const HEIGHT = 290;
const LEFT = 58;
const RIGHT = 14;
const TOP = 12;
const BOTTOM = 48;
/** Colours that can be told apart; further islands begin again. */
export const COLOURS: number = 8;

interface Frame {
  readonly x: (evaluations: number) => number;
  readonly y: (score: number) => number;
  readonly end: number;
  readonly from: number;
  readonly to: number;
}

/** Steps of every island over the programs that were run; `evaluations`: where they end. */
export function drawCurves(curves: readonly Curve[], evaluations: number): Html {
  const seen = curves.filter(({ points }) => points.length > 0);
  if (seen.length === 0)
    return markup`<p class="empty">No program was asked every case: there is no score to draw.</p>`;
  const frame = frameOf(seen, evaluations);
  const drawn = seen.toReversed().map((curve) => drawCurve(curve, frame));
  const best = seen.reduce((best, { points }) => Math.max(best, points.at(-1)?.score ?? 0), 0);
  const says = `Best score so far of ${seen.length} islands over ${shortCount(evaluations)} programs; the last is ${scoreText(best)}.`;
  return markup`<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${says}">${axes(frame)}${drawn}</svg><ul class="legend">${seen.map(legend)}</ul>`;
}

function frameOf(curves: readonly Curve[], evaluations: number): Frame {
  const scores = curves.flatMap(({ points }) => points.map(({ score }) => score));
  const [least, most] = [Math.min(...scores), Math.max(...scores)];
  // A little room, and never a line on the border alone.
  const room = Math.max((most - least) * 0.08, 0.01);
  const [from, to] = [Math.max(0, least - room), Math.min(1, most + room)];
  const end = Math.max(1, evaluations);
  return {
    x: (value) => LEFT + ((WIDTH - LEFT - RIGHT) * Math.min(value, end)) / end,
    y: (value) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * (value - from)) / (to - from),
    end,
    from,
    to,
  };
}

function drawCurve({ island, points }: Curve, { x, y, end }: Frame): Html {
  const path = points.map(({ evaluations, score }, index) =>
    index === 0 ? `M${place(x(evaluations))} ${place(y(score))}` : `H${place(x(evaluations))}V${place(y(score))}`,
  );
  const last = points.at(-1);
  const says = `island ${island + 1}: ${scoreText(last?.score ?? 0)}`;
  return markup`<g class="i${island % COLOURS}"><path class="curve" d="${joinedPath(path)}${`H${place(x(end))}`}" /><circle class="dot" cx="${place(x(end))}" cy="${place(y(last?.score ?? 0))}" r="3.5"><title>${says}</title></circle></g>`;
}

/** A path longer than one value of a template. Nothing in it but commands and numbers of ours. */
function joinedPath(commands: readonly string[]): readonly Html[] {
  return commands.map((command) => markup`${command}`);
}

function axes({ x, y, end, from, to }: Frame): Html {
  const across = ticksOf(from, to, 5).map(
    (score) =>
      markup`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${place(y(score))}" y2="${place(y(score))}" /><text class="tick" x="${LEFT - 8}" y="${place(y(score) + 4)}" text-anchor="end">${scoreText(score)}</text>`,
  );
  const along = ticksOf(0, end, 4).map(
    (value) =>
      markup`<text class="tick" x="${place(x(value))}" y="${HEIGHT - BOTTOM + 20}" text-anchor="${value === end ? "end" : "middle"}">${shortCount(value)}</text>`,
  );
  const bottom = HEIGHT - BOTTOM;
  return markup`${across}<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${bottom}" y2="${bottom}"/>${along}<text class="name" x="${WIDTH - RIGHT}" y="${HEIGHT - 6}" text-anchor="end">programs run</text>`;
}

function legend({ island, points }: Curve): Html {
  return markup`<li class="i${island % COLOURS}"><i></i>island ${island + 1} <b>${scoreText(points.at(-1)?.score ?? 0)}</b></li>`;
}

function place(value: number): string {
  return String(Math.round(value * 10) / 10);
}
