/** The parts of a report that are numbers in rows. */
import type { RunEnd } from "../population/events.ts";
import { countText, durationText, gainText, scoreText, shareText, shortCount, usdText } from "./figures.ts";
import { markup } from "./html.ts";
import type { Html } from "./html.ts";
import { isSeed } from "./story.ts";
import type { Story } from "./story.ts";
import type { FunnelStage, MutatorYield } from "./yields.ts";

/** Why a search ended, in words. */
export const ENDS: Readonly<Record<RunEnd, string>> = {
  goal: "goal reached",
  evaluations: "budget of evaluations spent",
  generations: "budget of generations spent",
  ms: "time over",
  usd: "budget of money spent",
  exhausted: "nothing new is proposed any more",
  spent: "no mutator is left: what each may cost is spent",
  aborted: "stopped",
};

/** How the run ended. */
export function endText({ ended }: Story): string {
  if (ended === undefined) return "the log has no end: cut short, or still running";
  return Object.hasOwn(ENDS, ended.why) ? ENDS[ended.why] : "ended";
}

/** The figures at the top. */
export function tiles({ best, programs, lastGeneration, record }: Story): Html {
  const seedBest = programs.filter(isSeed).reduce((most, { event }) => Math.max(most, event.score), 0);
  const score = best?.event.score ?? 0;
  const { measured } = record;
  const calls = programs.reduce((sum, { event }) => sum + event.asked, 0);
  const steps = programs.reduce((sum, { event }) => sum + event.fuel * event.asked, 0);
  const usd = lastGeneration?.usd ?? 0;
  const gained =
    best === undefined ? "none was asked every case" : `${gainText(score - seedBest)} on the best first parent`;
  const took = measured === undefined ? "" : `, ${durationText(measured.ms)}`;
  const perSecond =
    measured === undefined || measured.ms === 0
      ? ""
      : `, ${countText((programs.length * 1_000) / measured.ms)} a second`;
  const all = [
    tile("Best score", best === undefined ? "–" : scoreText(score), gained),
    ...(measured?.held === undefined
      ? []
      : [tile("On cases kept apart", scoreText(measured.held), "judged once, never used to choose")]),
    tile(
      "Programs run",
      countText(programs.length),
      `of ${countText(lastGeneration?.proposals ?? 0)} proposals${perSecond}`,
    ),
    tile(
      "Generations",
      countText(lastGeneration?.generation ?? 0),
      `${countText(lastGeneration?.cells ?? 0)} kinds in the archive`,
    ),
    tile(
      "Cost",
      usdText(usd),
      usd === 0 ? "no model was paid" : `${usdText(usd / Math.max(1, programs.length))} a program`,
    ),
    tile("Steps", shortCount(steps), `in ${shortCount(calls)} calls${took}`),
  ];
  return markup`<div class="tiles">${all}</div>`;
}

function tile(name: string, value: string, more: string): Html {
  return markup`<div class="tile"><span>${name}</span><b>${value}</b><small>${more}</small></div>`;
}

/** Mutators in rows; those that proposed nothing are counted below. */
export function yieldTable(yields: readonly MutatorYield[]): Html {
  const active = yields
    .filter(({ proposed, failures }) => proposed > 0 || failures > 0)
    .toSorted((a, b) => b.improved - a.improved || b.proposed - a.proposed);
  const idle = yields.length - active.length;
  const hasFailures = active.some(({ failures }) => failures > 0);
  const most = active.reduce((most, { improved, proposed }) => Math.max(most, improved / Math.max(1, proposed)), 0);
  if (active.length === 0) return markup`<p class="empty">No mutator proposed anything.</p>`;
  const head = [
    "proposed",
    "valid",
    "novel",
    "loads",
    "improved",
    "best gain",
    ...(hasFailures ? ["failed"] : []),
    "USD",
  ];
  return markup`<div class="scroll" tabindex="0" role="group" aria-label="operator yield"><table><thead><tr><th>mutator</th>${head.map((name) => markup`<th class="n">${name}</th>`)}<th>improved of proposed</th></tr></thead><tbody>${active.map((each) => yieldRow(each, most, hasFailures))}</tbody></table></div><p class="note">Valid: its edits fit the text and touch only what may change. Novel: not run before; these were run. Improved: scores more than its parent on all cases.${idle === 0 ? "" : ` ${countText(idle)} mutators proposed nothing.`}</p>`;
}

function yieldRow(each: MutatorYield, most: number, hasFailures: boolean): Html {
  const { mutator, proposed, valid, novel, loaded, improved, gain, failures, usd } = each;
  const width = most === 0 ? 0 : (100 * improved) / Math.max(1, proposed) / most;
  const numbers = [proposed, valid, novel, loaded, improved].map(
    (value) => markup`<td class="n">${countText(value)}</td>`,
  );
  return markup`<tr><th>${mutator}</th>${numbers}<td class="n">${gain > 0 ? gainText(gain) : "–"}</td>${hasFailures ? markup`<td class="n">${failures}</td>` : undefined}<td class="n">${usd === 0 ? "0" : usdText(usd).replace(" USD", "")}</td><td class="share">${bar(width)}${shareText(improved, proposed)}</td></tr>`;
}

/** Stages from the widest to the narrowest. */
export function funnel(stages: readonly FunnelStage[]): Html {
  const most = stages[0]?.count ?? 0;
  if (most === 0) return markup`<p class="empty">Nothing was proposed: only the first parents were run.</p>`;
  const rows = stages.map(({ name, count }) => {
    const width = Math.min(100, (100 * count) / most);
    return markup`<li><span>${name}</span>${bar(width)}<b>${countText(count)}</b><small>${shareText(count, most)}</small></li>`;
  });
  return markup`<ol class="funnel">${rows}</ol><p class="note">Shares are of what was proposed. First parents are counted in the archive alone.</p>`;
}

/** Of its room; nothing at all where there is nothing. */
function bar(percent: number): Html {
  return markup`<span class="bar">${percent === 0 ? undefined : markup`<i style="width:${percent.toFixed(2)}%"></i>`}</span>`;
}

/** Names with their values. */
export function pairs(values: readonly (readonly [name: string, value: string])[]): Html {
  return markup`<dl class="wide">${values.map(([name, value]) => markup`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}
