/**
 * What a canary tool would see of a candidate: so many requests to it and as many others to the version that serves, in shadows.
 * A version that does not come up, or ends again and again, is seen as errors, as it would be from outside.
 */
import type { AgentControl, RecordedTurn, Shadow } from "../../runtime/index.ts";
import type { Artifact } from "../../sandbox/index.ts";
import { decode, encode } from "../../sandbox/index.ts";
import { fitnessOf, requestAt } from "./requests.ts";
import type { Arm } from "./rules.ts";

/** Requests shown of each version. */
const ARM_REQUESTS = 1_000;
/** Ends of its isolate after which a version is taken to fail for good. */
const ENDS_MAX = 5;
const BYTES_MAX = 1 << 20;

/** What one version did with the stream of `seed`. Rejects where no shadow can be had for reasons that are not the version's. */
export async function armOf(control: AgentControl, artifact: Artifact, seed: number): Promise<Arm> {
  const arm = { errors: [] as number[], cpuMs: [] as number[], fitness: [] as number[] };
  let shadow: Shadow | undefined;
  try {
    for (let index = 0, ends = 0; index < ARM_REQUESTS; index++) {
      shadow ??= ends < ENDS_MAX ? await start(control, artifact) : undefined;
      if (shadow === undefined) {
        arm.errors.push(1);
        ends = ENDS_MAX;
        continue;
      }
      const turn = turnAt(seed, index);
      const { outcome } = await shadow.run(turn);
      arm.errors.push(outcome.kind === "done" ? 0 : 1);
      if (outcome.kind === "done" || outcome.kind === "threw") {
        arm.cpuMs.push(outcome.meter.cpuMs);
      } else {
        ends += 1;
        await shadow.drop();
        shadow = undefined;
      }
      if (outcome.kind === "done") note(arm.fitness, turn, outcome.reply);
    }
    return arm;
  } finally {
    await shadow?.drop();
  }
}

/** A shadow; `undefined` when this code does not load. */
async function start(control: AgentControl, artifact: Artifact): Promise<Shadow | undefined> {
  try {
    return await control.shadow({ artifact });
  } catch (error) {
    const code = (error as { readonly code?: unknown }).code; // a property that may not be there
    if (typeof code === "string" && code.startsWith("SANDBOX_")) return undefined;
    throw error;
  }
}

function note(fitness: number[], turn: RecordedTurn, reply: string): void {
  const value = fitnessOf(
    turn.method,
    decode(turn.text, { bytesMax: BYTES_MAX }),
    decode(reply, { bytesMax: BYTES_MAX }),
  );
  if (value !== undefined) fitness.push(value);
}

function turnAt(seed: number, index: number): RecordedTurn {
  const { method, argument } = requestAt(seed, index);
  return {
    kind: "call",
    method,
    text: encode(argument, { bytesMax: BYTES_MAX }),
    nowMs: index,
    seed: index,
    asks: [],
    result: { ok: true, reply: "null" },
    cpuMs: 0,
    beforeSeq: 0,
  };
}
