/**
 * Generated code, looked at before any of it runs. Pure: the same code gives the same answer, on any machine.
 *
 *     code --> sizes --> parse.ts --> tree.ts --> rules-*.ts, node by node --> sights, the forbidden first
 *
 * Invariants
 * 1. It ends, in a time and with a memory that go with the limits: no more than FINDINGS_MAX sights, no recursion over the tree.
 * 2. Whatever the text, the answer is a list; a text that cannot be parsed is one sight.
 */
import type { Sight } from "./finding.ts";
import { INSPECT_LIMITS, type InspectLimits } from "./rules.ts";
import { parseScript } from "./parse.ts";
import { Reports, type Seen } from "./report.ts";
import { codeRules } from "./rules-code.ts";
import { globalRules, type Missing } from "./rules-globals.ts";
import { endlessRule, markExits, moduleStateRule } from "./rules-notes.ts";
import { shapeRule } from "./rules-shape.ts";
import type { Frame, Tree } from "./tree.ts";
import { treeOf } from "./tree.ts";

/** What is known of the world beside the code. */
export interface InspectOptions {
  readonly limits?: InspectLimits;
  /** Globals that agents do not have. */
  readonly isMissing?: Missing;
}

/** Looks at a script. Positions are those of the script; the forbidden come first, then the notes, each in the order of the text. */
export function inspectCode(code: string, options: InspectOptions = {}): readonly Sight[] {
  const { limits = INSPECT_LIMITS, isMissing = () => false } = options;
  if (Buffer.byteLength(code) > limits.bytesMax) return [{ rule: "too-large", line: 1, column: 1, name: "" }];
  const parsed = parseScript(code);
  if ("rule" in parsed) return placed([{ ...parsed, name: "" }], code);
  const tree = treeOf(parsed.program, limits);
  if ("rule" in tree) return placed([{ ...tree, name: "" }], code);
  return placed(seenIn(tree, isMissing), code);
}

function seenIn(tree: Tree, isMissing: Missing): readonly Seen[] {
  const reports = new Reports();
  const { report } = reports;
  const frames = new Set<Frame>();
  for (const spot of tree.spots) {
    codeRules(spot, tree, report);
    globalRules(spot, tree, report, isMissing);
    moduleStateRule(spot, tree, report);
    markExits(spot);
    if (spot.frame !== undefined) frames.add(spot.frame);
  }
  for (const frame of frames) endlessRule(frame, report);
  shapeRule(tree, report);
  return reports.seen;
}

/** Offsets as lines and columns. */
function placed(seen: readonly Seen[], code: string): readonly Sight[] {
  const starts = [0, ...[...code.matchAll(/\n/g)].map(({ index }) => index + 1)];
  return seen.map(({ rule, at, name }) => {
    const line = starts.findLastIndex((start) => start <= at);
    return { rule, name, line: line + 1, column: at - (starts[line] ?? 0) + 1 };
  });
}
