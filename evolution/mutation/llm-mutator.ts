/**
 * A mutator that asks models for changes. Whatever a model says, it is text edits on what may change, or nothing; what it cost is said
 * in either case.
 *
 *     ground -> form, model (by chance) -> prompt -> model -> reply -> edits
 *                                                               \-> no edits and a note that says why
 */
import type { LlmMutatorOptions, ParsedLlmOptions, PromptForm } from "../llm-options.ts";
import { parseLlmOptions } from "../llm-options.ts";
import { oneOf } from "../population/chance.ts";
import { Models, type Reply } from "./llm/model.ts";
import { SHOWN_CHARACTERS_MAX, promptOf } from "./llm/prompt.ts";
import { readReply } from "./llm/reply.ts";
import type { Spent } from "./llm/spending.ts";
import type { MutationGround, Mutator, Proposal } from "./mutator.ts";

/** A mutator and its bill. */
export interface LlmMutator extends Mutator {
  readonly kind: "llm";
  /** What was spent so far, questions in flight and recorded answers included. */
  readonly spent: Spent;
}

/** Seeds that every endpoint takes. */
const SEEDS = 2 ** 31;

/**
 * Makes the mutator. One proposal is one question; an answer without use is a proposal without edits whose note says why.
 * `propose` throws EVOLUTION_MODEL_FAILED (a question failed), EVOLUTION_MODEL_FAILING (too many did, one after the other),
 * EVOLUTION_MODEL_CALLS_SPENT, _TOKENS_SPENT, _MONEY_SPENT, EVOLUTION_CASSETTE_MISMATCH and EVOLUTION_CASSETTE_INVALID.
 * @throws {EvolutionError} EVOLUTION_OPTIONS_INVALID.
 */
export function llmMutator(options: LlmMutatorOptions): LlmMutator {
  const parsed = parseLlmOptions(options);
  const models = new Models(parsed);
  return {
    id: parsed.id,
    kind: "llm",
    get spent() {
      return models.spent;
    },
    async *propose(ground, count, signal) {
      if (ground.parent.text.length > SHOWN_CHARACTERS_MAX) return;
      for (let asked = 0; asked < count && !signal.aborted; asked++) {
        const proposal = await ask(models, parsed, ground, signal);
        if (proposal === undefined) return;
        yield proposal;
      }
    },
  };
}

async function ask(
  models: Models,
  { forms, models: prices, task }: ParsedLlmOptions,
  ground: MutationGround,
  signal: AbortSignal,
): Promise<Proposal | undefined> {
  const { random, parent, evolvable } = ground;
  const mate = oneOf(
    random,
    ground.mates.filter(({ id, text }) => id !== parent.id && text.length <= SHOWN_CHARACTERS_MAX),
  );
  const form = oneOf(
    random,
    forms.filter((one) => isPossible(one, ground, mate !== undefined)),
  );
  const model = oneOf(random, prices);
  const seed = random.next32() % SEEDS;
  if (form === undefined || model === undefined) return undefined;
  const prompt = promptOf(form, ground, { task, mate });
  const reply = await models.ask({ form, prompt, model, seed }, signal);
  const read = readReply(form, parent.text, reply.text, evolvable);
  const meta = metaOf(model.name, reply);
  if ("refused" in read) return { edits: [], note: `${form}: ${read.refused}`, meta };
  return { edits: read.edits, note: form, meta };
}

function isPossible(form: PromptForm, { failures }: MutationGround, hasMate: boolean): boolean {
  if (form === "crossover") return hasMate;
  return form !== "fix" || failures.length > 0;
}

function metaOf(model: string, { request, tokensIn, tokensOut, usd }: Reply): NonNullable<Proposal["meta"]> {
  return { model, promptHash: request, tokensIn, tokensOut, usd };
}
