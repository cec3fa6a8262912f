/**
 * The way back from a promoted version, from what costs nothing to what costs most:
 *
 *   the reverse shadow   it has run every acknowledged turn on its own state: nothing is lost
 *   the code alone       where both versions understand the present state
 *   a snapshot           the state before the promotion, or the newest older one that can be read: what came since is kept in
 *                        the agent's history only
 *
 * Invariant: one commit each, or nothing. What is taken is read to its end before the present state is left.
 */
import type { AgentControl, CurrentCode, Runtime, Shadow } from "../runtime/index.ts";
import type { Artifact } from "../sandbox/index.ts";
import type { WayBack } from "./decision.ts";

/** From where to where. */
export interface Return {
  readonly runtime: Runtime;
  readonly control: AgentControl;
  /** The version to go back to; absent where it is not known any more: then only snapshots lead back. */
  readonly before: { readonly artifact: Artifact; readonly current: CurrentCode } | undefined;
  /** Named by the promotion. */
  readonly snapshot: string;
  /** Turns since then. */
  readonly turns: number;
  readonly reverse?: Shadow | undefined;
  /** Resolves when the reverse shadow has run every turn; asked when no turn runs. */
  readonly caughtUp?: () => Promise<void>;
  /** What its owner did meanwhile: then nothing is taken back. */
  readonly overruled?: () => string | undefined;
}

/** Older snapshots that are looked at. */
const SNAPSHOTS_MAX = 32;
/** Names of states that somebody left for a reason. */
const LEFT = /^before-(?:restore|escalation)-/;

/** Goes back; on disk when it resolves. Rejects where its owner was faster, it is stopped, or nothing can be read. */
export async function goBack(from: Return): Promise<WayBack> {
  return (await byShadow(from)) ?? (await byCode(from)) ?? (await bySnapshot(from));
}

/** How it went back, as the end of a sentence. */
export function wayText({ way, snapshot, skipped = [], lost }: WayBack): string {
  if (way === "shadow") return "the version before took over with every acknowledged turn";
  if (way === "code") return "the code before took over on the present state";
  const passed = skipped.map(({ label, why }) => `"${label}" could not be taken (${why})`);
  return [`the state "${snapshot}" was restored`, ...passed, lost].join("; ");
}

async function byShadow({ control, before, reverse, caughtUp, overruled }: Return): Promise<WayBack | undefined> {
  if (reverse === undefined || before === undefined) return undefined;
  const leaving = control.code.current.hash;
  try {
    await control.adopt(reverse, { code: before.current, caughtUp: caughtUp ?? (() => Promise.resolve()) });
    return { way: "shadow" };
  } catch (error) {
    if (control.code.current.hash === before.current.hash) return { way: "shadow" }; // it only does not load yet
    // Its owner's word stands. Where the shadow or its branch cannot be had, there are other ways.
    if (overruled?.() !== undefined || !control.isTaken || control.code.current.hash !== leaving) throw error;
    return undefined;
  }
}

async function byCode({ control, before, snapshot, overruled }: Return): Promise<WayBack | undefined> {
  const { current } = control.code;
  if (before === undefined || current.version !== before.current.version) return undefined;
  refuseOverruled(overruled);
  const { artifact } = before;
  const { profile } = before.current;
  await control.swap({ artifact, label: `${snapshot}-rollback`, profile, expect: current.hash });
  return { way: "code" };
}

async function bySnapshot({ runtime, control, snapshot, turns, overruled }: Return): Promise<WayBack> {
  const skipped: { readonly label: string; readonly why: string }[] = [];
  for (const label of labelsFrom(control, snapshot)) {
    const why = await control.problemAt(label);
    if (why !== undefined) {
      skipped.push({ label, why });
      continue;
    }
    refuseOverruled(overruled);
    await runtime.ref(control.id).restore({ label });
    const since =
      label === snapshot ? "since the promotion" : `since the promotion, and all since "${label}" before it,`;
    const lost = `${turns} turns ${since} are kept in its history only`;
    return { way: "snapshot", snapshot: label, lost, ...(skipped.length === 0 ? {} : { skipped }) };
  }
  const tried = skipped.map(({ label, why }) => `${label}: ${why}`).join(", ");
  throw new Error(`no state before it can be read (${tried})`);
}

/** The snapshot of the promotion and those before it, newest first. */
function labelsFrom(control: AgentControl, snapshot: string): readonly string[] {
  const all = control.snapshots().map(({ label }) => label);
  const end = all.lastIndexOf(snapshot);
  const older = all.slice(0, end < 0 ? all.length : end + 1).toReversed();
  return [...new Set(older.filter((label) => label === snapshot || !LEFT.test(label)))].slice(0, SNAPSHOTS_MAX);
}

function refuseOverruled(overruled: Return["overruled"]): void {
  const doing = overruled?.();
  if (doing !== undefined) throw new Error(doing);
}
