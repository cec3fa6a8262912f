/** The best score so far, island by island. Pure. */
import { isSeed } from "./story.ts";
import type { Story } from "./story.ts";

/** A step of a curve: from so many programs on, this score. */
export interface CurvePoint {
  readonly evaluations: number;
  readonly score: number;
}

/** One island's curve. */
export interface Curve {
  readonly island: number;
  /** Steps upwards, at most `POINTS_MAX`. Empty where nothing that was asked every case was run. */
  readonly points: readonly CurvePoint[];
}

/** Steps of a curve that are drawn: more than a screen has room for. */
const POINTS_MAX = 400;

/** Seeds begin on every island; a migrant counts where it arrives. */
export function curvesOf({ started, programs, byId, record }: Story): readonly Curve[] {
  const islands = Math.max(started?.islands ?? 0, ...new Set(programs.map(({ event }) => event.island + 1)));
  const points: CurvePoint[][] = Array.from({ length: islands }, () => []);
  let evaluations = 0;
  const take = (island: number, score: number): void => {
    const curve = points[island];
    if (curve !== undefined && score > (curve.at(-1)?.score ?? -1)) curve.push({ evaluations, score });
  };
  for (const event of record.events) {
    if (event.type === "individual.evaluated") {
      evaluations += 1;
      const program = byId.get(event.id);
      if (program?.isWhole !== true) continue;
      if (isSeed(program)) for (const island of points.keys()) take(island, event.score);
      else take(event.island, event.score);
    } else if (event.type === "island.migrated") {
      for (const id of event.ids) take(event.island, byId.get(id)?.event.score ?? -1);
    }
  }
  return points.map((all, island) => ({ island, points: thinned(all) }));
}

/** The first, the last, and others evenly between them. */
function thinned(points: readonly CurvePoint[]): readonly CurvePoint[] {
  if (points.length <= POINTS_MAX) return points;
  const last = points.length - 1;
  return Array.from({ length: POINTS_MAX }, (_, index) => Math.round((index * last) / (POINTS_MAX - 1))).flatMap(
    (index) => points[index] ?? [],
  );
}
