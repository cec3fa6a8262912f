/**
 * The ledgers of tokens, one for each owner of a grant and all to whom it is passed on. They live as long as the process: an
 * agent that ends and starts again finds its own, a runtime that is opened anew begins with empty ones.
 */
import { RuntimeError } from "../errors.ts";
import { left, spend, type Spent, type TokenLimit } from "./llm-ledger.ts";

/** What a grant lets its owner spend. */
export interface TokenAllowance {
  readonly tokensPerMinute?: number | undefined;
  readonly tokensPerDay?: number | undefined;
}

/** Tokens that are booked for a call that is on its way. */
export interface Booking {
  readonly tokens: number;
  /** The call is over and cost this much. Once. */
  settle(tokens: number): void;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Owners whose ledgers are kept; the one that spent least recently gives way. */
const OWNERS_MAX = 10_000;

/** What was spent in windows of one length. Bookings hold on to it until they are settled. */
interface Ledger {
  spent: Spent;
}

interface Entry {
  readonly ledger: Ledger;
  readonly limit: TokenLimit;
  readonly unit: string;
}

/** Books what is spent. */
export class Tokens {
  /** By owner, then by unit; the last in order is the one that spent most recently. */
  readonly #byOwner = new Map<string, Map<string, Ledger>>();

  /**
   * Books what a call may cost, or all that may be spent where that is less.
   * @throws {RuntimeError} RUNTIME_CAPABILITY_QUOTA where that is not left.
   */
  book(owner: string, allowance: TokenAllowance, { nowMs, tokens }: { nowMs: number; tokens: number }): Booking {
    const entries = this.#entriesOf(owner, allowance);
    for (const { limit, unit, ledger } of entries) {
      const rest = left(ledger.spent, limit, nowMs);
      if (Math.min(tokens, limit.tokensMax) <= rest) continue;
      const message = `${owner} may spend ${limit.tokensMax} tokens in a ${unit}: ${Math.max(0, rest)} are left, this call may need ${tokens}.`;
      throw new RuntimeError("RUNTIME_CAPABILITY_QUOTA", message, { details: { left: rest, needed: tokens } });
    }
    const enter = (more: number): void => {
      for (const { limit, ledger } of entries) ledger.spent = spend(ledger.spent, limit, { nowMs, tokens: more });
    };
    enter(tokens);
    return { tokens, settle: (cost) => enter(cost - tokens) };
  }

  /** A grant that says another figure goes on with what was spent. */
  #entriesOf(owner: string, { tokensPerMinute, tokensPerDay }: TokenAllowance): readonly Entry[] {
    const ledgers = this.#ledgersOf(owner);
    const entry = (unit: string, windowMs: number, tokensMax: number | undefined): readonly Entry[] => {
      if (tokensMax === undefined) return [];
      const ledger = ledgers.get(unit) ?? { spent: new Map<number, number>() };
      ledgers.set(unit, ledger);
      return [{ unit, limit: { windowMs, tokensMax }, ledger }];
    };
    return [...entry("minute", MINUTE_MS, tokensPerMinute), ...entry("day", DAY_MS, tokensPerDay)];
  }

  #ledgersOf(owner: string): Map<string, Ledger> {
    const ledgers = this.#byOwner.get(owner) ?? new Map<string, Ledger>();
    this.#byOwner.delete(owner);
    this.#byOwner.set(owner, ledgers);
    for (const oldest of this.#byOwner.keys()) {
      if (this.#byOwner.size <= OWNERS_MAX) break;
      this.#byOwner.delete(oldest);
    }
    return ledgers;
  }
}
