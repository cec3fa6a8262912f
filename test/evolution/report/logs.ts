/** Logs of searches for the tests of reports: made up, of any size, from a seed. */
import { createHash } from "node:crypto";
import type { SearchEvent } from "../../../evolution/population/events.ts";
import { seededRandom } from "../../../runtime/random.ts";

/** What a log is made of. */
export interface LogShape {
  readonly count: number;
  readonly seed?: number;
  /** In every text that a candidate, a model or a caller may write. */
  readonly word?: string;
  /** The text of a program, from its number and its parent's text. */
  readonly text?: (index: number, parent: string) => string;
  /** Each program is made from the one before it. */
  readonly isChain?: boolean;
}

/** Events of a run of so many programs on four islands; some are asked few cases, some do not load. */
export function logOf({ count, seed = 1, word = "word", text, isChain = false }: LogShape): readonly SearchEvent[] {
  const random = seededRandom(seed);
  const chance = (): number => random.next32() / 2 ** 32;
  const write = text ?? ((index: number): string => `const a = ${index}; // ${word}\nreturn a;\n`);
  const mutators = [`${word} one`, `${word} two`];
  const events: SearchEvent[] = [
    {
      type: "run.started",
      runId: word,
      problem: word,
      seed,
      cases: 100,
      islands: 4,
      populationPerIsland: 16,
      mutators,
    },
  ];
  const parents: { readonly id: string; readonly text: string; readonly score: number }[] = [];
  let best = -1;
  for (let index = 0; index < count; index++) {
    const back = isChain ? 1 : 1 + Math.floor(chance() ** 2 * 100);
    const parent = parents[Math.max(0, parents.length - back)];
    const body = write(index, parent?.text ?? "");
    const id = createHash("sha256").update(`${index} ${body}`).digest("hex");
    const asked = index === 0 || isChain ? 100 : ([0, 5, 20, 100, 100][Math.floor(chance() * 5)] ?? 0);
    const whole = Math.max(0, Math.min(1, (parent?.score ?? 0.2) + (chance() - 0.5) * 0.02));
    const score = (whole * asked) / 100;
    const isBest = asked === 100 && score > best;
    if (isBest) best = score;
    if (asked === 100) parents.push({ id, text: body, score });
    const place = { island: index % 4, generation: Math.ceil(index / 64), slot: index % 64 };
    events.push({
      type: "individual.evaluated",
      id,
      parents: parent === undefined ? [] : [parent.id],
      ...place,
      text: body,
      score,
      asked,
      isBest,
      mutator: parent === undefined ? "seed" : (mutators[index % 2] ?? ""),
      note: word,
      fuel: Math.floor(10 ** (1 + 3 * chance())),
      usd: 0.001,
    });
    if (index % 3 === 1)
      events.push({ type: "proposal.refused", mutator: mutators[0] ?? "", ...place, why: { seen: 2, torn: 1 } });
    if (index % 50 === 7)
      events.push({
        type: "mutator.failed",
        mutator: mutators[1] ?? "",
        generation: place.generation,
        slot: 0,
        message: word,
      });
  }
  const ended = { generation: Math.ceil(count / 64), evaluations: count, proposals: count * 2, usd: count / 1_000 };
  events.push(
    {
      type: "generation.ended",
      ...ended,
      bestId: "",
      bestScore: Math.max(0, best),
      means: [0, 0, 0, 0],
      cells: 12,
      mutators: [],
      hash: word,
    },
    { type: "run.ended", why: "evaluations", generation: ended.generation, hash: word },
  );
  return events;
}

/** A log as its file has it. */
export function linesOf(events: readonly unknown[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join("");
}
