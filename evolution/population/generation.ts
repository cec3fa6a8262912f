/**
 * One generation at work: children are asked the first cases as soon as they are drawn, while further slots still draw; then they
 * climb the cascade, island by island.
 *
 * A budget may cut it: so many children, in the order of the slots, and no more. Who climbs then is decided among fewer, so what
 * is found out in a cut is kept apart and counts for a cut at the same child only.
 */
import type { Evaluator } from "./evaluator.ts";
import { unasked } from "./evaluator.ts";
import type { Asked } from "./evaluator.ts";
import { goesOn, rungsOf } from "./cascade.ts";
import { randomAt } from "./chance.ts";
import { movedRanges, wholeText } from "./evolvable.ts";
import { applyEdits } from "../mutation/edit.ts";
import { programId } from "./individual.ts";
import type { Evaluation, Individual } from "./individual.ts";
import type { Problem } from "./problem.ts";
import type { Proposer } from "./proposer.ts";
import type { Drawn, RunJournal } from "./run-journal.ts";
import type { FilledSlot, PlannedSlot } from "./search.ts";

/** What a generation works with. */
export interface GenerationParts {
  readonly evaluator: Evaluator;
  readonly proposer: Proposer;
  readonly journal: RunJournal;
  readonly seed: number;
  readonly problem: Problem;
}

/** A child on its way up. */
interface Climber {
  readonly slot: PlannedSlot;
  readonly drawn: Drawn;
  readonly asked: Asked;
  /** What it was found to be before the last end of the process. */
  readonly known: Evaluation | undefined;
}

/** See the header. */
export class Generation {
  readonly #parts: GenerationParts;
  readonly #rungs: readonly number[];

  constructor(parts: GenerationParts) {
    this.#parts = parts;
    this.#rungs = rungsOf(parts.problem.cases.length);
  }

  /** The first parents, each content once, all cases asked. */
  async seeds(isNew: (program: Pick<Individual, "id" | "text">) => boolean): Promise<readonly Individual[]> {
    const { problem, evaluator, journal } = this.#parts;
    const texts = problem.seeds.filter((text) => isNew({ id: programId(text), text }));
    const all = await settled(
      texts.map(async (text) => {
        const asked = unasked(programId(text), text);
        const known = journal.evaluated(asked.id);
        if (known === undefined) await evaluator.ask(asked, problem.cases.length);
        const evaluation = known ?? evaluator.conclude(asked);
        journal.keepEvaluated(asked.id, evaluation);
        return { id: asked.id, text, evaluation };
      }),
    );
    return all.map(({ id, text, evaluation }, slot) => ({
      ...evaluation,
      id,
      text,
      origin: { parents: [], mutator: "seed", island: 0, generation: 0, slot, usd: 0, tokens: 0 },
      evolvable: problem.evolvable ?? wholeText(text),
    }));
  }

  /**
   * Draws and runs until there are `childrenMax` children, or no mutator is left: then the slots behind are missing in what it resolves
   * with. Rejects with what proposer and evaluator reject with; nothing of it is kept in memory then.
   */
  async fill(slots: readonly PlannedSlot[], generation: number, childrenMax: number): Promise<readonly FilledSlot[]> {
    const { proposer, evaluator, journal } = this.#parts;
    const first = this.#rungs[0] ?? 0;
    const drawnSlots: { readonly slot: PlannedSlot; readonly drawn: Drawn }[] = [];
    const born: Omit<Climber, "known">[] = [];
    const asking: Promise<void>[] = [];
    for await (const {
      slot: { number },
      drawn,
    } of proposer.draw(slots, childrenMax)) {
      const slot = slots[number];
      if (slot === undefined) throw new RangeError(`no slot ${number} was planned`);
      drawnSlots.push({ slot, drawn });
      if (drawn.child === undefined) continue;
      const text = applyEdits(slot.ground.parent.text, drawn.child.edits);
      const asked = unasked(programId(text), text);
      born.push({ slot, drawn, asked });
      if (journal.evaluated(asked.id) !== undefined || journal.evaluated(asked.id, childrenMax) !== undefined) continue;
      const work = evaluator.ask(asked, first);
      work.catch(() => undefined); // waited for below
      asking.push(work);
    }
    await settled(asking);
    // Where everybody is asked everything at once, nobody is judged beside others.
    const cut = drawnSlots.length < slots.length && this.#rungs.length > 1 ? born.length : undefined;
    const climbers = born.map((each) => ({ ...each, known: journal.evaluated(each.asked.id, cut) }));
    const children = await this.#climb(climbers, generation, cut);
    return drawnSlots.map((each) => {
      const child = children.get(each.slot.number);
      return child === undefined ? each : { ...each, child };
    });
  }

  /** Rung by rung; who does not go on is concluded with what it was asked. */
  async #climb(
    climbers: readonly Climber[],
    generation: number,
    cut: number | undefined,
  ): Promise<ReadonlyMap<number, Individual>> {
    const { evaluator, journal, seed } = this.#parts;
    const children = new Map<number, Individual>();
    const end = (climber: Climber): void => {
      const evaluation = climber.known ?? evaluator.conclude(climber.asked);
      journal.keepEvaluated(climber.asked.id, evaluation, cut);
      children.set(climber.slot.number, childOf(climber, evaluation, generation));
    };
    let climbing = climbers.filter((climber) => !isUnfit(climber));
    for (const climber of climbers) if (isUnfit(climber)) end(climber);
    for (const [index, rung] of this.#rungs.entries()) {
      await settled(climbing.filter(({ known }) => known === undefined).map(({ asked }) => evaluator.ask(asked, rung)));
      if (rung === this.#rungs.at(-1)) for (const climber of climbing) end(climber);
      else {
        const higher = new Set(
          byIsland(climbing).flatMap(([island, group]) => {
            const random = randomAt(seed, { island, generation, slot: index }, "rung");
            return goesOn(group, (climber) => scoreUpTo(climber, rung), random);
          }),
        );
        for (const climber of climbing) if (!higher.has(climber)) end(climber);
        climbing = climbing.filter((climber) => higher.has(climber));
      }
    }
    return children;
  }
}

function isUnfit({ asked, known }: Climber): boolean {
  return known === undefined ? asked.isUnfit : known.scores.length === 0;
}

function scoreUpTo({ asked, known }: Climber, rung: number): number {
  return (known ?? asked).scores.slice(0, rung).reduce((sum, score) => sum + score, 0);
}

function byIsland(climbers: readonly Climber[]): readonly (readonly [number, readonly Climber[]])[] {
  return [...Map.groupBy(climbers, ({ slot }) => slot.island)].toSorted(([a], [b]) => a - b);
}

function childOf({ slot, drawn, asked }: Climber, evaluation: Evaluation, generation: number): Individual {
  const { parent } = slot.ground;
  const { edits = [], note } = drawn.child ?? {};
  const { usd, tokens } = drawn;
  const place = { island: slot.island, generation, slot: slot.number };
  const said = note === undefined ? {} : { note };
  return {
    ...evaluation,
    id: asked.id,
    text: asked.text,
    origin: { parents: [parent.id], mutator: slot.mutator.id, ...said, edits, ...place, usd, tokens },
    evolvable: movedRanges(parent.evolvable, edits),
  };
}

/** Waits for all, then rejects with the first that was rejected: nothing goes on behind our back. */
async function settled<T>(work: readonly Promise<T>[]): Promise<readonly T[]> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}
