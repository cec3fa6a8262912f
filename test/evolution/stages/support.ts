/** An agent under test by live stages, and versions of it that go wrong in one way each. */
import { setTimeout } from "node:timers/promises";
import type { TestScope } from "../../../runtime/testing.ts";
import { withRuntime } from "../../../runtime/testing.ts";
import type { AgentRef, Runtime, SpawnOptions } from "../../../runtime/index.ts";
import { Arbiter } from "../../../evolution/index.ts";
import type { ArbiterOptions, Decision, Stage } from "../../../evolution/index.ts";
import { compileStage } from "../../../evolution/stages/compile.ts";

/** A ledger of words: it counts them, and answers how often it had each. */
export const WORDS = `
import { agent } from "planaria/agent";
const scale = 1;
export default agent({
  version: 1,
  state: () => ({ counts: {} as Record<string, number>, total: 0 }),
  on: {
    note(ctx, word: string) {
      ctx.state.total += scale;
      ctx.state.counts[word] = (ctx.state.counts[word] ?? 0) + scale;
      return ctx.state.counts[word];
    },
    total: (ctx) => ctx.state.total,
    score: (_ctx, value: number) => value,
    fail(_ctx, text: string) { throw new RangeError(text); },
    tell(ctx, to: string) { ctx.cast(to, "note", "told"); return "sent"; },
    propose: (ctx, source: string) => ctx.propose(source),
  },
});
`;

/** The same program in other words: nothing about it differs but its text. */
export const SAME: string = WORDS.replace("ctx.state.total += scale;", "ctx.state.total = ctx.state.total + scale;");

/** The text with a part replaced. Throws when that part is not there. */
export function edited(find: string, by: string, source: string = SAME): string {
  if (!source.includes(find)) throw new Error(`not found: ${find}`);
  return source.replace(find, () => by);
}

/** Such an agent in a runtime of its own. */
export async function wordsAgent(
  t: TestScope,
  limits: SpawnOptions["limits"] = {},
): Promise<{ readonly runtime: Runtime; readonly words: AgentRef }> {
  const runtime = await withRuntime(t);
  const words = await runtime.spawn({ id: "words", source: WORDS, limits });
  return { runtime, words };
}

/** Asks so many notes, one after another, and now and then the total. */
export async function traffic(words: AgentRef, turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    if (turn % 7 === 6) await words.call("total");
    else await words.call("note", `w${turn % 13}`);
  }
}

/** Tries a text on these stages only, after its compilation. */
export async function tried(
  runtime: Runtime,
  stages: readonly Stage[],
  { source, ...options }: ArbiterOptions & { readonly source: string; readonly candidatesTried?: number },
): Promise<Decision> {
  const { candidatesTried, ...rest } = options;
  await using arbiter = await Arbiter.start(runtime, rest, [compileStage, ...stages]);
  return await arbiter.propose({ agent: "words", source, candidatesTried });
}

const FAILURES_MAX = 1_000;

/** A client that asks without end, one request after another, until it is disposed of. */
export class Client implements AsyncDisposable {
  /** Requests that were answered. */
  answered = 0;
  /** Codes of those that were not. */
  readonly failures: string[] = [];
  readonly #done: Promise<void>;
  #isOver = false;

  /** `everyMs`: pauses so long between two requests, as a caller with other things to do. */
  constructor(ask: (request: number) => Promise<unknown>, everyMs = 0) {
    this.#done = this.#run(ask, everyMs);
  }

  async #run(ask: (request: number) => Promise<unknown>, everyMs: number): Promise<void> {
    for (let request = 0; !this.#isOver; request++) {
      if (everyMs > 0) await setTimeout(everyMs);
      try {
        await ask(request);
        this.answered += 1;
      } catch (error) {
        this.failures.push(String((error as { readonly code?: unknown }).code)); // any of the floors' errors
        this.#isOver ||= this.failures.length >= FAILURES_MAX; // whoever fails without waiting would let nobody else run
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }
}

/** One note after another, and now and then the total, as `traffic` does. */
export function notesOf(words: AgentRef): (request: number) => Promise<unknown> {
  return (request) => (request % 7 === 6 ? words.call("total") : words.call("note", `w${request % 13}`));
}

/** Between two requests of a caller that shadows can keep pace with on a busy machine, in ms. */
export const PACE_MS = 4;

/** A proof that takes some 150 pairs instead of 1,500. */
export const SOON = { marginPoints: 0.2, cpuRatioMax: 4, mirrorTurnsMin: 50, quietMs: 5_000 } as const;
