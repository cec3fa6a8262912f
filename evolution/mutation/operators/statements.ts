/** Operators on statements: one too many, one missing, one in the wrong place. */
import type { Operator } from "../operator.ts";
import { replaced } from "../operator.ts";
import type { Site } from "../program.ts";
import { isStatement, textOf } from "../program.ts";
import { namesAt } from "../scope.ts";

/** Longest statement that is put elsewhere, in characters. */
const DONOR_LENGTH_MAX = 120;
/** Names for which guards are made up, the nearest. */
const NAMES_MAX = 4;

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
    const movable = program.sites.filter((site) => isStatement(site) && isShort(site));
    for (const to of program.sites) {
      if (!isStatement(to)) continue;
      for (const from of movable) {
        if (from.node === to.node || overlaps(from, to) || from.node.type === "VariableDeclaration") continue;
        const text = textOf(program, from.node);
        yield [{ start: to.node.start, end: to.node.start, text: `${text}\n` }];
        yield [{ start: to.node.start, end: to.node.start, text: `${text}\n` }, ...replaced(from.node, ";")];
      }
    }
  },
};

/** Two neighbours change places. */
export const swapStatements: Operator = {
  id: "swap-statements",
  *changes({ program }) {
    const statements = program.sites.filter((site) => isStatement(site));
    for (const a of statements) {
      const b = statements.find(
        ({ node, ancestors }) => ancestors.at(-1) === a.ancestors.at(-1) && node.start >= a.node.end,
      );
      if (b === undefined) continue;
      yield [...replaced(a.node, textOf(program, b.node)), ...replaced(b.node, textOf(program, a.node))];
    }
  },
};

/** What only happened under a condition happens always; what always happened, under a condition of the program. */
export const unwrapStatement: Operator = {
  id: "unwrap",
  *changes({ program }) {
    for (const { node } of program.sites) {
      if (node.type !== "IfStatement") continue;
      yield replaced(node, textOf(program, node.consequent));
      if (node.alternate === null || node.alternate === undefined) continue;
      yield replaced(node, textOf(program, node.alternate));
      yield [
        ...replaced(node.consequent, textOf(program, node.alternate)),
        ...replaced(node.alternate, textOf(program, node.consequent)),
      ];
      // `else if` that should have been an `if` of its own.
      const between =
        program.code.slice(node.consequent.end, node.alternate.start).indexOf("else") + node.consequent.end;
      yield [{ start: between, end: between + 4, text: "" }];
    }
  },
};

/** An answer for the cases that are easily forgotten: nothing there, zero, an empty list. */
export const earlyReturn: Operator = {
  id: "early-return",
  *changes({ program, declarations }) {
    const answers = new Set(["null", "0", "1", "-1", '""', "[]", "true", "false", "undefined"]);
    const first = program.sites.filter((site) => isStatement(site) && isFirst(site) && isInFunction(site));
    for (const site of first) {
      for (const name of namesAt(site, declarations).slice(0, NAMES_MAX)) {
        for (const test of [
          `${name}.length === 0`,
          `${name} === 0`,
          `${name} == null`,
          `${name} < 0`,
          `${name} === 1`,
          `${name} < 2`,
        ]) {
          for (const answer of answers) {
            yield [{ start: site.node.start, end: site.node.start, text: `if (${test}) return ${answer};\n` }];
          }
        }
      }
    }
  },
};

/** `return` inside of a loop moves behind it, or the other way round. */
export const moveReturn: Operator = {
  id: "move-return",
  *changes({ program }) {
    for (const { node, ancestors } of program.sites) {
      if (node.type !== "ReturnStatement" && node.type !== "BreakStatement" && node.type !== "ContinueStatement")
        continue;
      const loop = ancestors.findLast(({ type }) => /^(For|While|DoWhile|ForOf|ForIn)Statement$/.test(type));
      if (loop !== undefined && node.type === "ReturnStatement")
        yield [...replaced(node, ";"), { start: loop.end, end: loop.end, text: `\n${textOf(program, node)}` }];
      if (node.type === "BreakStatement") yield replaced(node, "continue;");
      if (node.type === "ContinueStatement") yield replaced(node, "break;");
    }
  },
};

function isShort({ node }: Site): boolean {
  return node.end - node.start <= DONOR_LENGTH_MAX;
}

function overlaps(a: Site, b: Site): boolean {
  return a.node.start < b.node.end && b.node.start < a.node.end;
}

function isFirst({ node, ancestors }: Site): boolean {
  const parent = ancestors.at(-1);
  return parent?.type === "BlockStatement" && parent.body[0] === node;
}

function isInFunction({ ancestors }: Site): boolean {
  return /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(ancestors.at(-2)?.type ?? "");
}
