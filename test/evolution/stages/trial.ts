/** One stage at a time, on a real agent: a trial as the arbiter makes it, without the arbiter. */
import assert from "node:assert/strict";
import { Attacks } from "../../../evolution/attacks.ts";
import type { ArbiterOptions } from "../../../evolution/options.ts";
import { parseArbiterOptions, parseProposal } from "../../../evolution/options.ts";
import type { Stage, StageVerdict, Trial } from "../../../evolution/stage.ts";
import type { Runtime } from "../../../runtime/index.ts";
import { compile } from "../../../sandbox/index.ts";

/** What a trial is made of. */
export interface TrialParts {
  readonly runtime: Runtime;
  readonly agent: string;
  readonly source: string;
  readonly options?: ArbiterOptions;
  readonly attacks?: Attacks;
  readonly signal?: AbortSignal;
  readonly seed?: number;
}

/** A trial whose candidate is compiled. */
export async function trialOf(parts: TrialParts): Promise<Trial> {
  const { runtime, agent, source, seed = 1 } = parts;
  const control = runtime.control(agent);
  const attacks = parts.attacks ?? (await Attacks.open(runtime));
  return {
    id: "d1",
    proposal: parseProposal({ agent, source }),
    control,
    champion: control.code,
    options: parseArbiterOptions({ seed, ...parts.options }),
    nowMs: () => runtime.clock.monotonicMs(),
    clock: runtime.clock,
    number: 1,
    candidatesTried: 1,
    seed,
    signal: parts.signal ?? new AbortController().signal,
    progress: () => undefined,
    traffic: () => control.turns(),
    attacks: () => attacks.of(agent),
    keepAttack: async (attack) => void (await attacks.add(agent, attack)),
    candidate: await compile({ source, name: `${agent}.agent.ts` }),
    findings: [],
  };
}

/** What a stage says to a candidate. */
export async function saidOf(stage: Stage, parts: TrialParts): Promise<StageVerdict> {
  return await stage.run(await trialOf(parts));
}

/** `source` with one of its texts exchanged; fails where it is not there. */
export function changed(source: string, from: string, to: string): string {
  assert.ok(source.includes(from), `the source has ${from}`);
  return source.replace(from, () => to);
}

/** What a stage says whose cells are killed once, as it looks at the recorded turns: its shadows are loaded by then. */
export async function saidUnderKill(
  stage: Stage,
  parts: TrialParts,
): Promise<StageVerdict & { readonly killed: number }> {
  const before = new Set(parts.runtime.cells().map(({ id }) => id));
  const trial = await trialOf(parts);
  let killed = 0;
  const traffic = (): ReturnType<Trial["traffic"]> => {
    const others = parts.runtime.cells().filter(({ id, residents }) => !before.has(id) && residents > 0);
    if (killed === 0) for (const { pid } of others) process.kill(pid, "SIGKILL");
    killed += others.length;
    return trial.traffic();
  };
  return { ...(await stage.run({ ...trial, traffic })), killed };
}
