/** Whether an earlier state of an agent can be gone back to: whole, with its code, its spec and every row. */
import type { Branch, Point, View } from "../vault/index.ts";
import { Slices, VaultError } from "../vault/index.ts";
import { keptEntries, readArtifact, readCurrent, readSpec } from "./agent-record.ts";

/** The state at a point, or why it cannot be gone back to. Reads all of it, a slice at a time. */
export async function readableState(
  branch: Branch,
  at: Point,
): Promise<{ readonly view: View } | { readonly why: string }> {
  try {
    const view = await branch.at(at);
    const current = readCurrent(view);
    if (current === undefined || readArtifact(view, current.hash) === undefined) return { why: "it has no code" };
    readSpec(view);
    // Each is read, and checked by its checksum; tables may be long.
    await new Slices().drive(keptEntries(view)[Symbol.iterator]());
    return { view };
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
    return { why: error.code };
  }
}
