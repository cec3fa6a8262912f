/**
 * Which mutator, or which island, gets the next slot: UCB1 (Auer, Cesa-Bianchi and Fischer 2002) over what each slot earned for what it
 * cost.
 *
 *   reward = max(0, child - parent) / 90 % quantile of the gains so far, at most 1, / sqrt(cost)
 *
 * Costs are counted and never measured: one for a slot, one more for each thousandth of a US dollar. So a mutator that asks a model for a cent
 * must earn some three times as much per child, and every run repeats.
 *
 * Who comes with a weight begins as if it had been tried already, with rewards that go with the weight. That is outweighed by what is
 * seen after as many slots.
 */

/** Gains that the quantile looks back on. */
const GAINS_MAX = 256;
/** Weight of what is not known: below the textbook's sqrt 2, because rewards are rare and small. */
const CURIOSITY = 0.5;
const USD_PER_COST = 0.001;
/** Slots that a start weight stands for, ... */
const START_PULLS = 20;
/** ... and the mean reward of the largest: then the first slots go by the weights, roughly. */
const START_REWARD = 0.3;

/** What is known of one mutator. */
interface Arm {
  pulls: number;
  reward: number;
  /** What its weight stands for. */
  readonly start: { readonly pulls: number; readonly reward: number };
}

/** Who may be given slots. */
export interface Candidate {
  readonly id: string;
  /** Above 0; see the header. */
  readonly startWeight?: number | undefined;
}

/** What is known of one mutator, to be told. */
export interface ArmReport {
  readonly mutator: string;
  readonly pulls: number;
  /** Sum of its rewards. */
  readonly reward: number;
}

/** See the header. */
export class Bandit {
  readonly #arms = new Map<string, Arm>();
  /** Gains above 0, the newest last. */
  readonly #gains: number[] = [];

  constructor(candidates: readonly Candidate[]) {
    const most = Math.max(...candidates.map(({ startWeight = 0 }) => startWeight));
    for (const { id, startWeight: weight = 0 } of candidates) {
      const reward = weight > 0 ? (START_PULLS * START_REWARD * weight) / most : 0;
      this.#arms.set(id, { pulls: 0, reward: 0, start: { pulls: weight > 0 ? START_PULLS : 0, reward } });
    }
  }

  /**
   * The mutators for the next slots, one for each, in order. `factorOf` makes a mutator dearer (below 1) or cheaper for a slot; 0
   * leaves it out. Each slot that is given away counts as a pull at once, so one generation does not go to one mutator.
   */
  assign(slots: number, factorOf: (mutator: string, slot: number) => number): readonly string[] {
    const pending = new Map<string, number>();
    const total = [...this.#arms.values()].reduce((sum, { pulls, start }) => sum + pulls + start.pulls, 0);
    return Array.from({ length: slots }, (_, slot) => {
      let best = "";
      let bestValue = -Infinity;
      for (const [mutator, arm] of this.#arms) {
        const factor = factorOf(mutator, slot);
        const value = factor <= 0 ? -Infinity : factor * this.#value(arm, pending.get(mutator) ?? 0, total + slot);
        if (value > bestValue) [best, bestValue] = [mutator, value];
      }
      pending.set(best, (pending.get(best) ?? 0) + 1);
      return best;
    });
  }

  #value({ pulls: own, reward: earned, start }: Arm, pending: number, total: number): number {
    const [pulls, reward] = [own + start.pulls, earned + start.reward];
    const count = pulls + pending;
    // One that was never tried is thought to be as good as can be, until so many of its slots are given away.
    if (pulls === 0) return (1 + CURIOSITY * Math.sqrt(Math.log(1 + total) * (1 + pending))) / (1 + pending);
    return reward / count + CURIOSITY * Math.sqrt(Math.log(1 + total) / count);
  }

  /** A slot of this mutator is over: what its child scored above its parent (0 where there was no child), and what it cost. */
  learn(mutator: string, gain: number, usd: number): void {
    const arm = this.#arms.get(mutator);
    if (arm === undefined) throw new RangeError(`no mutator is called ${mutator}`);
    arm.pulls += 1;
    if (gain <= 0) return;
    this.#gains.push(gain);
    if (this.#gains.length > GAINS_MAX) this.#gains.shift();
    const scale = quantile90(this.#gains);
    arm.reward += Math.min(1, gain / scale) / Math.sqrt(1 + usd / USD_PER_COST);
  }

  /** In the order in which they were given. */
  report(): readonly ArmReport[] {
    return [...this.#arms].map(([mutator, { pulls, reward }]) => ({ mutator, pulls, reward }));
  }
}

/** The nearest rank; of at least one value. */
function quantile90(values: readonly number[]): number {
  const ordered = values.toSorted((a, b) => a - b);
  return ordered[Math.ceil(ordered.length * 0.9) - 1] ?? 1;
}
