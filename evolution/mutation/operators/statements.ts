/** Operators on statements: one too many, one missing, one in the wrong place. */
import type { AnyNode } from "../../../sandbox/index.ts";
import { loopOf, mayStand, needsIn } from "../jumps.ts";
import { Near } from "../near.ts";
import type { Operator } from "../operator.ts";
import { replaced } from "../operator.ts";
import { inserted, isFirstInFunction, sentence } from "../place.ts";
import type { ParsedProgram, Site } from "../program.ts";
import { isLoop, textOf, tokenAt, isStatement } from "../program.ts";
import { namesAt } from "../scope.ts";

/** Longest statement that is put elsewhere, in characters. */
const DONOR_LENGTH_MAX = 120;
/** Statements tried for one place: the ones that stand nearest. */
const DONORS_MAX = 12;
/** Names for which guards are made up, the nearest. */
const GUARDED_MAX = 4;

/** A statement goes. */
export const deleteStatement: Operator = {
  id: "delete",
  *changes({ program }) {
    for (const site of program.sites)
      if (isStatement(site) && site.node.type !== "VariableDeclaration") yield replaced(site.node, ";");
  },
};

/** A statement comes before another one, and leaves where it stood or stays there, too. */
export const moveStatement: Operator = {
  id: "move",
  *changes({ program }) {
    const statements = program.sites.filter((site) => isStatement(site));
    const needs = needsIn(program);
    const movable = new Near(statements.filter(({ node }) => isShort(node) && node.type !== "VariableDeclaration"));
    for (const to of statements) {
      for (const from of movable.around(to, DONORS_MAX)) {
        if (overlaps(from, to) || !mayStand(needs.get(from.node), from, to)) continue;
        const copy = inserted(to.node, sentence(program, from.node));
        yield copy;
        yield [...copy, ...replaced(from.node, ";")];
      }
    }
  },
};

/** Two neighbours change places. */
export const swapStatements: Operator = {
  id: "swap-statements",
  *changes({ program }) {
    const lists = Map.groupBy(program.sites.filter(isStatement), ({ parent }) => parent);
    for (const list of lists.values()) {
      for (const [index, { node: a }] of list.entries()) {
        const b = list[index + 1]?.node;
        if (b === undefined) continue;
        yield [...replaced(a, sentence(program, b)), ...replaced(b, sentence(program, a))];
      }
    }
  },
};

/** What only happened under a condition happens always; the two branches of a condition change places. */
export const unwrapStatement: Operator = {
  id: "unwrap",
  *changes({ program }) {
    for (const { node } of program.sites) {
      if (node.type !== "IfStatement") continue;
      const { consequent, alternate } = node;
      yield replaced(node, textOf(program, consequent));
      if (alternate === null || alternate === undefined) continue;
      yield replaced(node, textOf(program, alternate));
      yield [
        ...replaced(consequent, blockOf(program, alternate)),
        ...replaced(alternate, blockOf(program, consequent)),
      ];
      // `else if` that should have been an `if` of its own.
      const at = tokenAt(program, "else", consequent.end, alternate.start);
      if (at !== undefined) yield [{ start: at, end: at + 4, text: "" }];
    }
  },
};

/** An `if` without braces would take the `else` behind it. */
function blockOf(program: ParsedProgram, node: AnyNode): string {
  return node.type === "BlockStatement" ? textOf(program, node) : `{ ${sentence(program, node)} }`;
}

const ANSWERS = ["null", "0", "1", "-1", '""', "[]", "true", "false", "undefined"];

/** An answer for the cases that are easily forgotten: nothing there, zero, an empty list. */
export const earlyReturn: Operator = {
  id: "early-return",
  *changes({ program, declarations }) {
    for (const site of program.sites) {
      if (!isStatement(site) || !isFirstInFunction(site)) continue;
      for (const name of namesAt(site, declarations).slice(0, GUARDED_MAX)) {
        for (const test of [".length === 0", " === 0", " == null", " < 0", " === 1", " < 2"]) {
          for (const answer of ANSWERS) yield inserted(site.node, `if (${name}${test}) return ${answer};`);
        }
      }
    }
  },
};

/** `return` inside of a loop moves behind it, or the other way round; `break` becomes `continue`, and back. */
export const moveReturn: Operator = {
  id: "move-return",
  *changes({ program }) {
    for (const site of program.sites) {
      const { node } = site;
      const loop = loopOf(site);
      if (node.type === "ReturnStatement" && loop !== undefined && isStatement(loop))
        yield [
          ...replaced(node, ";"),
          { start: loop.node.end, end: loop.node.end, text: `\n${sentence(program, node)}` },
        ];
      if (node.type === "ReturnStatement" && isStatement(site)) {
        const end = endOfLoopBefore(site);
        if (end !== undefined)
          yield [{ start: end, end, text: `\n${sentence(program, node)}\n` }, ...replaced(node, ";")];
      }
      if (loop === undefined) continue;
      if (node.type === "BreakStatement" && node.label == null) yield replaced(node, "continue;");
      if (node.type === "ContinueStatement" && node.label == null) yield replaced(node, "break;");
    }
  },
};

/** Where the body ends of a loop that stands directly before; `undefined` where there is none with braces. */
function endOfLoopBefore({ node, parent }: Site): number | undefined {
  if (parent?.node.type !== "BlockStatement") return undefined;
  const { body } = parent.node;
  const before = body[body.findIndex((one) => one === node) - 1];
  if (before === undefined || !isLoop(before) || !("body" in before)) return undefined;
  const { body: inner } = before;
  return !Array.isArray(inner) && inner.type === "BlockStatement" ? inner.end - 1 : undefined;
}

function isShort({ start, end }: AnyNode): boolean {
  return end - start <= DONOR_LENGTH_MAX;
}

function overlaps(a: Site, b: Site): boolean {
  return a.node.start < b.node.end && b.node.start < a.node.end;
}
