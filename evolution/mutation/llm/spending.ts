/**
 * What models may cost: booked before a question leaves, settled when its answer is there, so that questions in flight together stay
 * within a cap as well.
 */
import { EvolutionError } from "../../errors.ts";
import type { ModelPrice, ParsedLlmOptions } from "../../llm-options.ts";

/** What was spent so far, questions in flight included. */
export interface Spent {
  readonly calls: number;
  readonly tokens: number;
  readonly usd: number;
  /** Calls that failed since the last that did not. */
  readonly failures: number;
}

/** A question that was let through. */
export interface Booking {
  /** It was answered; the cost in USD. */
  settle(tokensIn: number, tokensOut: number): number;
  /** It failed. `isTaken`: tokens may have been spent all the same. */
  fail(isTaken: boolean): void;
  /** It was called off by whoever asked: no failure. */
  leave(isTaken: boolean): void;
}

interface Cost {
  readonly tokens: number;
  readonly usd: number;
}

const NOTHING: Cost = { tokens: 0, usd: 0 };

/** Keeps count. */
export class Spending {
  readonly #limits: ParsedLlmOptions["limits"];
  /** What questions in flight may cost. */
  readonly #booked = new Set<Cost>();
  #calls = 0;
  #settled = NOTHING;
  #failures = 0;
  #lastFailure = "";

  constructor(limits: ParsedLlmOptions["limits"]) {
    this.#limits = limits;
  }

  get spent(): Spent {
    const { tokens, usd } = [...this.#booked].reduce(sumOf, this.#settled);
    return { calls: this.#calls, tokens, usd, failures: this.#failures };
  }

  /**
   * Lets a question through that may need so many tokens.
   * @throws {EvolutionError} EVOLUTION_MODEL_FAILING, _CALLS_SPENT, _TOKENS_SPENT, _MONEY_SPENT.
   */
  book(model: ModelPrice, tokensIn: number, tokensOut: number): Booking {
    const { calls, tokens, usd, failures } = this.#limits;
    const { spent } = this;
    const booked = costOf(model, tokensIn, tokensOut);
    if (this.#failures >= failures)
      throw this.#over(
        "FAILING",
        `${failures} questions failed one after the other, the last one: ${this.#lastFailure}`,
      );
    if (spent.calls >= calls) throw this.#over("CALLS_SPENT", `all ${calls} calls were made; limits.calls allows more`);
    if (spent.tokens + booked.tokens > tokens)
      throw this.#over(
        "TOKENS_SPENT",
        `${spent.tokens} of ${tokens} tokens are spent and this question may need ${booked.tokens}; limits.tokens allows more`,
      );
    if (usd !== undefined && spent.usd + booked.usd > usd)
      throw this.#over(
        "MONEY_SPENT",
        `${spent.usd.toFixed(4)} of ${usd} USD are spent and this question may cost ${booked.usd.toFixed(4)}; limits.usd allows more`,
      );
    this.#calls += 1;
    this.#booked.add(booked);
    const settle = (cost: Cost): number => {
      this.#booked.delete(booked);
      this.#settled = sumOf(this.#settled, cost);
      return cost.usd;
    };
    return {
      settle: (realIn, realOut) => {
        this.#failures = 0;
        return settle(costOf(model, realIn, realOut));
      },
      fail: (isTaken) => {
        this.#failures += 1;
        settle(isTaken ? booked : NOTHING);
      },
      leave: (isTaken) => void settle(isTaken ? booked : NOTHING),
    };
  }

  /** What the last failure said, for the error that ends it all. */
  note(failure: string): void {
    this.#lastFailure = failure;
  }

  #over(what: "FAILING" | "CALLS_SPENT" | "TOKENS_SPENT" | "MONEY_SPENT", why: string): EvolutionError {
    return new EvolutionError(`EVOLUTION_MODEL_${what}`, `No model is asked any more: ${why}.`, {
      details: { ...this.spent },
    });
  }
}

function sumOf(a: Cost, b: Cost): Cost {
  return { tokens: a.tokens + b.tokens, usd: a.usd + b.usd };
}

function costOf({ usdPerMillionIn = 0, usdPerMillionOut = 0 }: ModelPrice, tokensIn: number, tokensOut: number): Cost {
  return { tokens: tokensIn + tokensOut, usd: (tokensIn * usdPerMillionIn + tokensOut * usdPerMillionOut) / 1e6 };
}
