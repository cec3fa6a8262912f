/** An agent under test by live stages, and versions of it that go wrong in one way each. */
import type { TestScope } from "../../../runtime/testing.ts";
import { withRuntime } from "../../../runtime/testing.ts";
import type { AgentRef, Runtime } from "../../../runtime/index.ts";
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
export async function wordsAgent(t: TestScope): Promise<{ readonly runtime: Runtime; readonly words: AgentRef }> {
  const runtime = await withRuntime(t);
  const words = await runtime.spawn({ id: "words", source: WORDS });
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
