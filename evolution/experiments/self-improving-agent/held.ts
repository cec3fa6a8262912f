/**
 * What a version is worth on requests that neither chose nor promoted anything: each version answers the same held-out requests in a
 * shadow, from the same state.
 *
 * Answers that must be exact are those of the first version: nobody asked for them to change.
 */
import type { AgentControl, RecordedTurn, Shadow } from "../../../runtime/index.ts";
import { compile, decode, encode } from "../../../sandbox/index.ts";
import { requestOf, rightness } from "./traffic.ts";

/** Three of four are judged: a share of nine in ten is then known to about one point. */
export const HELD_REQUESTS = 1_200;
/** Points of rightness that a version may have less than the one before: what is measured is off by about as much. */
const LESS_MAX = 0.02;
const BYTES_MAX = 1 << 20;

/** What a version did with the held-out requests. */
export interface HeldOut {
  /** Share of those it sent where they belong. */
  readonly right: number;
  /** Its other answers, as text; an error is an answer of its own. */
  readonly exact: readonly string[];
}

/** Asks each version the `count` held-out requests of the seed. Rejects where one does not load. */
export async function heldOut(
  control: AgentControl,
  versions: readonly string[],
  { seed, count }: { readonly seed: number; readonly count: number },
): Promise<readonly HeldOut[]> {
  const turns = Array.from({ length: count }, (_, index) => turnAt(seed, index));
  const at = { seq: control.seq };
  const found: HeldOut[] = [];
  for (const source of versions) {
    const artifact = await compile({ source, name: "desk.agent.ts", standsAlone: true });
    await using shadow = await control.shadow({ artifact, at });
    found.push(await answersOf(shadow, turns));
  }
  return found;
}

/** Whether a version does harm beside the one it took the place of, by the first version's exact answers. Pure. */
export function isHarmful(version: HeldOut, before: HeldOut, first: HeldOut): boolean {
  return (
    version.right < before.right - LESS_MAX || version.exact.some((answer, index) => answer !== first.exact[index])
  );
}

async function answersOf(shadow: Shadow, turns: readonly RecordedTurn[]): Promise<HeldOut> {
  const exact: string[] = [];
  let judged = 0;
  let right = 0;
  for (const turn of turns) {
    const { outcome } = await shadow.run(turn);
    if (turn.method !== "route") exact.push(outcome.kind === "done" ? outcome.reply : outcome.kind);
    else {
      judged += 1;
      right += outcome.kind === "done" ? rightOf(turn, outcome.reply) : 0;
    }
    if (outcome.kind === "exceeded" || outcome.kind === "lost") await shadow.reload();
  }
  return { right: right / judged, exact };
}

function rightOf({ method, text }: RecordedTurn, reply: string): number {
  const bounds = { bytesMax: BYTES_MAX };
  return rightness({ method, argument: decode(text, bounds), reply: decode(reply, bounds) }) ?? 0;
}

function turnAt(seed: number, index: number): RecordedTurn {
  const { method, argument } = requestOf(seed, index);
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
