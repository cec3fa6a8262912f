/** Templates on statements: one that is missing, one too many, one that should only happen sometimes. */
import { replaced, type Operator } from "../../../mutation/operator.ts";
import { isStatement, textOf, type ParsedProgram, type Site } from "../../../mutation/program.ts";
import { namesAt } from "../../../mutation/scope.ts";
import { NAMES_MAX, donorsOf } from "./donors.ts";

/** A statement that should only happen sometimes. */
export const guardStatement: Operator = {
  id: "guard-statement",
  *changes({ program, declarations }) {
    const tests = new Set(program.sites.filter(({ key }) => key === "test").map(({ node }) => textOf(program, node)));
    for (const site of program.sites) {
      const { node } = site;
      if (!/^(ExpressionStatement|ReturnStatement|IfStatement|ForStatement)$/.test(node.type) || !isInBody(site))
        continue;
      const text = textOf(program, node);
      const names = namesAt(site, declarations).slice(0, NAMES_MAX);
      const pairs = names.flatMap((a, index) =>
        names.slice(index + 1).flatMap((b) => [`${a} === ${b}`, `${a} !== ${b}`, `${a} < ${b}`, `${a} > ${b}`]),
      );
      const single = names.flatMap((name) => [`${name} > 0`, `${name} === 1`, `${name} === 0`, name, `!${name}`]);
      for (const test of new Set([...tests, ...pairs, ...single])) yield replaced(node, `if (${test}) { ${text} }`);
    }
  },
};

/** True for statements, in lists and alone under a loop or a condition. */
function isInBody({ key, parent: above }: Site): boolean {
  const parent = above?.node.type ?? "";
  return (
    key === "consequent" ||
    key === "alternate" ||
    (key === "body" && /^(BlockStatement|For|While|DoWhile)/.test(parent))
  );
}

/** A variable of the function gets another value at some place. */
export const insertAssignment: Operator = {
  id: "insert-assignment",
  *changes({ program, declarations }) {
    const assigned = assignedNames(program);
    const donors = donorsOf(program);
    for (const site of program.sites) {
      if (!isStatement(site)) continue;
      const { start, end } = site.node;
      const inSight = namesAt(site, declarations);
      const targets = inSight.filter((name) => assigned.has(name)).slice(0, NAMES_MAX);
      for (const name of targets) {
        const texts = new Set([
          `${name}++;`,
          `${name}--;`,
          ...inSight
            .slice(0, NAMES_MAX)
            .filter((other) => other !== name)
            .flatMap((other) => [`${name} += ${other};`, `${name} = ${other};`]),
          ...donors.filter((donor) => donor.includes(name)).map((donor) => `${name} = ${donor};`),
          ...donors.slice(0, NAMES_MAX).map((donor) => `${name} += ${donor};`),
        ]);
        for (const text of texts) {
          yield [{ start, end: start, text: `${text} ` }];
          if (isLastOfBlock(site)) yield [{ start: end, end, text: ` ${text}` }];
        }
      }
    }
  },
};

function isLastOfBlock({ node, parent: above }: Site): boolean {
  const parent = above?.node;
  return (
    parent?.type === "BlockStatement" && parent.body.at(-1) === node && !/^(Return|Break|Continue)/.test(node.type)
  );
}

function assignedNames(program: ParsedProgram): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { node } of program.sites) {
    const target =
      node.type === "AssignmentExpression" ? node.left : node.type === "UpdateExpression" ? node.argument : undefined;
    if (target?.type === "Identifier") names.add(target.name);
    if (node.type === "VariableDeclaration" && node.kind !== "const")
      for (const { id } of node.declarations) if (id.type === "Identifier") names.add(id.name);
  }
  return names;
}

/** Another branch like one that is there, for another number. */
export const likeBranch: Operator = {
  id: "like-branch",
  *changes({ program }) {
    const numbers = new Set<string>();
    for (const { node } of program.sites)
      if (node.type === "Literal" && typeof node.value === "number")
        numbers.add(String(node.value + 1)).add(String(node.value));
    for (const { node } of program.sites) {
      if (node.type !== "IfStatement") continue;
      const test = textOf(program, node.test);
      const body = textOf(program, node.consequent);
      for (const number of [...numbers].slice(0, NAMES_MAX)) {
        const other = test.replace(/(?<![\w.])\d+(?![\w.])/, number);
        if (other !== test)
          yield [{ start: node.consequent.end, end: node.consequent.end, text: ` else if (${other}) ${body}` }];
      }
    }
  },
};

/** A declaration goes. */
export const deleteDeclaration: Operator = {
  id: "delete-declaration",
  *changes({ program }) {
    for (const site of program.sites)
      if (site.node.type === "VariableDeclaration" && isStatement(site)) yield replaced(site.node, ";");
    // Two of one name: the later one is an assignment.
    for (const site of program.sites) {
      const { node } = site;
      if (node.type !== "VariableDeclaration" || !isStatement(site) || node.declarations.length > 1) continue;
      yield [{ start: node.start, end: node.start + node.kind.length, text: "" }];
    }
  },
};

/** An argument, an element or an `else` too many. */
export const dropTerm: Operator = {
  id: "drop",
  *changes({ program }) {
    for (const { node } of program.sites) {
      // One argument or element too many.
      const list =
        node.type === "CallExpression" ? node.arguments : node.type === "ArrayExpression" ? node.elements : [];
      for (const [index, each] of list.entries()) {
        const next = list[index + 1];
        const before = list[index - 1];
        if (each && next) yield [{ start: each.start, end: next.start, text: "" }];
        else if (each && before) yield [{ start: before.end, end: each.end, text: "" }];
      }
      if (node.type === "IfStatement" && node.alternate)
        yield [{ start: node.consequent.end, end: node.alternate.end, text: "" }];
    }
  },
};
