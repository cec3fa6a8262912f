/**
 * Who is answered by the candidate: a share of all sessions, chosen by hash.
 *
 *   sha256(experiment, session) -> a point in [0, 1) -> candidate where the point lies below the share
 *
 * Invariants
 * 1. Sticky: a session's point never moves within one experiment.
 * 2. Monotone: whoever the candidate answers keeps it as the share grows.
 * 3. Points of two experiments are unrelated, so no session is the first to meet every candidate.
 */
import { createHash } from "node:crypto";

/** Which version answers a session at `share` (0 to 1) of all sessions. Pure. */
export function assign(session: string, experiment: string, share: number): "candidate" | "champion" {
  return pointOf(session, experiment) < share ? "candidate" : "champion";
}

/** A session's place in [0, 1): 48 bits of a hash, uniform over sessions whatever their keys look like. */
export function pointOf(session: string, experiment: string): number {
  const digest = createHash("sha256").update(`${experiment.length}:${experiment}${session}`).digest();
  return digest.readUIntBE(0, 6) / 2 ** 48;
}
