/**
 * Where an agent's code comes from: every version that was current, what it followed, who wrote it, which decision let it in,
 * and when it was current. Pure: from versions on record to a line of descent.
 *
 * A version is written when what runs is another code than the last one written: after an event that can change it, and when
 * the arbiter starts, because the code may have changed while none was watching.
 */
import type { CurrentCode } from "../runtime/index.ts";
import type { Decision, EvidenceLine, ProbationReport } from "./decision.ts";

/** How a version became current. */
export type VersionCause = "spawned" | "deployed" | "promoted" | "rolled_back" | "restored" | "ladder";

/** One version, as it became current. */
export interface Version {
  readonly agent: string;
  readonly hash: string;
  /** The version that was current before; absent for the first one known. */
  readonly parent?: string;
  /** `operator`, `agent:<id>`, or whoever proposed it. */
  readonly author: string;
  /** The decision that let it in, or that was taken back. */
  readonly decision?: string;
  readonly why: VersionCause;
  /** Wall time from which on it was current, or at which it was found. */
  readonly timeMs: number;
  /** Nobody watched as it became current: it was found later. */
  readonly isFound?: boolean;
}

/** A version in an agent's line of descent. */
export interface LineageEntry extends Version {
  /** Wall time until which it was current; absent: it is. */
  readonly untilMs?: number;
  /** What was weighed for it. */
  readonly evidence: readonly EvidenceLine[];
  /** How its probation ended. */
  readonly probation?: ProbationReport["end"];
}

/** The whole line, oldest first. */
export function lineageOf(
  versions: readonly Version[],
  known: {
    readonly decision: (id: string) => Decision | undefined;
    readonly report: (id: string) => ProbationReport | undefined;
  },
): readonly LineageEntry[] {
  return versions.map((version, index) => {
    const next = versions[index + 1];
    const isLetIn = version.why === "promoted" && version.decision !== undefined;
    const decision = isLetIn ? known.decision(version.decision) : undefined;
    const report = isLetIn ? known.report(version.decision) : undefined;
    return {
      ...version,
      ...(next === undefined ? {} : { untilMs: next.timeMs }),
      evidence: decision?.stages.flatMap(({ evidence = [] }) => evidence) ?? [],
      ...(report === undefined ? {} : { probation: report.end }),
    };
  });
}

/** The version that is current now as a record, where it is another one than the last; `undefined` when it is the same. */
export function nextVersion(
  last: Version | undefined,
  now: {
    readonly agent: string;
    readonly hash: string;
    readonly timeMs: number;
    readonly cause: Pick<Version, "why" | "author" | "decision" | "isFound">;
  },
): Version | undefined {
  const { agent, hash, timeMs, cause } = now;
  if (last?.hash === hash) return undefined;
  return { agent, hash, ...(last === undefined ? {} : { parent: last.hash }), timeMs, ...cause };
}

/** Why a version is current that nobody saw become so. */
export function causeFound(
  current: Pick<CurrentCode, "hash" | "originHash">,
  known: { readonly last: Version | undefined; readonly decisions: readonly Decision[] },
): Pick<Version, "why" | "author" | "decision" | "isFound"> {
  const decision = known.decisions.findLast(
    ({ ruling, candidateHash }) => ruling === "promoted" && candidateHash === current.hash,
  );
  const isFound = true;
  if (current.hash !== current.originHash && decision !== undefined)
    return { why: "promoted", author: decision.author, decision: decision.id, isFound };
  if (known.last === undefined) return { why: "spawned", author: "operator", isFound };
  if (current.hash === current.originHash) return { why: "deployed", author: "operator", isFound };
  return { why: "restored", author: "operator", isFound };
}
