/** Small patterns that repairs often are: a guard against nothing, a bound, the other end of a list, a part of it. */
import type { Edit } from "../edit.ts";
import { mayStand, needsIn } from "../jumps.ts";
import { Near } from "../near.ts";
import type { Ground, Operator } from "../operator.ts";
import { inserted, operand, put, sentence } from "../place.ts";
import type { ParsedProgram, Site } from "../program.ts";
import { isFunction, textOf, tokenAt, isStatement, isValue } from "../program.ts";
import { isVariable, namesAt, scopeOfName } from "../scope.ts";

/** Longest expression and statement that a pattern is put around, or that is put elsewhere, in characters. */
const VALUE_LENGTH_MAX = 60;
const STATEMENT_LENGTH_MAX = 160;
/** Names and statements tried for one place: the nearest. */
const NAMES_TRIED = 4;
const DONORS_MAX = 4;

/** `a.b` becomes `a?.b`, `a` becomes `a ?? []`. */
export const nullGuard: Operator = {
  id: "null-guard",
  *changes({ program }) {
    for (const site of program.sites) {
      const { node, parent, key } = site;
      if (node.type === "MemberExpression" && !node.optional && node.object.type !== "Super" && isRead(site))
        yield* optional(program, node.object.end, node.computed ? "[" : ".", node.property.start);
      if (!isReading(site) || parent?.node.type === "BinaryExpression") continue;
      const text = operand(program, node);
      const isIterated = key === "object" || key === "right" || parent?.node.type === "SpreadElement";
      for (const other of isIterated ? ["[]", '""', "{}"] : ["0", '""', "[]"])
        yield put(program, site, `${text} ?? ${other}`, "operation");
    }
  },
};

/** Neither assigned to nor called with `new`, where `?.` is no JavaScript. */
function isRead(site: Site): boolean {
  let { key } = site;
  for (let parent = site.parent; parent !== undefined; { key, parent } = parent) {
    const { type } = parent.node;
    if (
      type === "TaggedTemplateExpression" ||
      type === "UpdateExpression" ||
      (type === "NewExpression" && key === "callee")
    )
      return false;
    if (/Pattern$|^RestElement$/.test(type) || (/^(?:Assignment|For)/.test(type) && key === "left")) return false;
    if (type !== "MemberExpression" && type !== "CallExpression" && type !== "ChainExpression" && type !== "Property")
      return true;
    if (key === "property" || key === "arguments") return true;
  }
  return true;
}

function* optional(program: ParsedProgram, from: number, token: string, to: number): Iterable<readonly Edit[]> {
  const at = tokenAt(program, token, from, to);
  if (at !== undefined) yield [{ start: at, end: at + 1, text: token === "." ? "?." : "?.[" }];
}

/** A value that stays above, or below, something: `Math.max(0, x)`, `Math.min(x, n)`. */
export const clamp: Operator = {
  id: "clamp",
  *changes({ program, declarations }) {
    for (const site of program.sites) {
      if (!isReading(site) || site.key === "object") continue;
      const text = textOf(program, site.node);
      const names = namesAt(site, declarations).slice(0, NAMES_TRIED);
      for (const bound of ["0", "1", ...names.flatMap((name) => [name, `${name}.length`, `${name}.length - 1`])]) {
        if (bound === text) continue;
        yield put(program, site, `Math.max(${bound}, ${text})`, "atom");
        yield put(program, site, `Math.min(${bound}, ${text})`, "atom");
      }
    }
  },
};

/** `a[i]` counts from the other end, begins one later, or goes round. */
export const indexOffset: Operator = {
  id: "index",
  *changes({ program }) {
    for (const { node, parent, key } of program.sites) {
      if (parent?.node.type !== "MemberExpression" || !parent.node.computed || key !== "property") continue;
      const list = operand(program, parent.node.object);
      const index = operand(program, node);
      if (list.length > VALUE_LENGTH_MAX || index.length > VALUE_LENGTH_MAX) continue;
      for (const other of [
        `${list}.length - 1 - ${index}`,
        `${index} % ${list}.length`,
        `${index} + 2`,
        `${index} - 2`,
        `${list}.length - 1`,
      ])
        yield [{ start: node.start, end: node.end, text: other }];
    }
  },
};

/** A list or text becomes a part of itself. */
export const sliceTemplate: Operator = {
  id: "slice",
  *changes({ program, declarations }) {
    for (const site of program.sites) {
      if (!isReading(site)) continue;
      const text = operand(program, site.node);
      const names = namesAt(site, declarations).filter((name) => name !== text);
      for (const k of ["2", ...names.slice(0, NAMES_TRIED)]) {
        for (const part of [k, `0, ${k}`, `-${k}`, `${k} + 1`])
          yield put(program, site, `${text}.slice(${part})`, "atom");
      }
    }
  },
};

/** What is returned becomes a variable. */
export const returnName: Operator = {
  id: "return-name",
  *changes({ program, declarations }) {
    for (const site of program.sites) {
      const { node, parent, key } = site;
      const isBody = parent?.node.type === "ArrowFunctionExpression" && key === "body" && isValue(site);
      if (!isBody && parent?.node.type !== "ReturnStatement") continue;
      const own = textOf(program, node);
      for (const name of namesAt(site, declarations)) if (name !== own) yield put(program, site, name, "atom");
    }
  },
};

/** A statement that stands near is repeated elsewhere; names that cannot be seen there become names that can. */
export const donorStatement: Operator = {
  id: "donor-statement",
  *changes(ground) {
    const { program } = ground;
    const statements = program.sites.filter((site) => isStatement(site));
    const needs = needsIn(program);
    const donors = new Near(
      statements.filter(({ node }) => isDonor(node.type) && node.end - node.start <= STATEMENT_LENGTH_MAX),
    );
    const variables = new Near(program.sites.filter((site) => isVariable(site)));
    for (const to of statements) {
      for (const from of donors.around(to, DONORS_MAX)) {
        if (from.node.start <= to.node.start && to.node.end <= from.node.end) continue;
        if (!mayStand(needs.get(from.node), from, to)) continue;
        for (const text of fitted(ground, from, to, variables)) yield inserted(to.node, text);
      }
    }
  },
};

function isDonor(type: string): boolean {
  return type === "ExpressionStatement" || type === "IfStatement" || type.startsWith("For");
}

/** Texts of a statement for another place: one for each name that takes the place of the ones that are out of sight. */
function fitted({ program, declarations }: Ground, from: Site, to: Site, variables: Near): readonly string[] {
  const strangers = variables
    .around(from, from.node.end - from.node.start)
    .filter(({ node }) => from.node.start <= node.start && node.end <= from.node.end)
    .filter((site) => isStranger(site, from, to));
  const whole = sentence(program, from.node);
  if (strangers.length === 0) return [];
  return namesAt(to, declarations)
    .slice(0, NAMES_TRIED)
    .map((name) => {
      let text = whole;
      for (const { node } of strangers.toSorted((a, b) => b.node.start - a.node.start))
        text = text.slice(0, node.start - from.node.start) + name + text.slice(node.end - from.node.start);
      return text;
    });

  function isStranger(site: Site, donor: Site, place: Site): boolean {
    if (site.node.type !== "Identifier" || isShorthand(site)) return false;
    const scope = scopeOfName(site.node.name, site, declarations);
    const around = scopeOfName(site.node.name, donor, declarations);
    // A global, or declared within the donor: it comes along.
    if (scope === undefined || scope !== around) return false;
    return scopeOfName(site.node.name, place, declarations) !== scope;
  }
}

function isShorthand({ parent }: Site): boolean {
  return parent?.node.type === "Property" && parent.node.shorthand;
}

/** A short value that is read, is no function, and is not called. */
function isReading(site: Site): boolean {
  const { node, key, parent } = site;
  if (!isValue(site) || isFunction(node) || key === "callee" || key === "tag") return false;
  if (parent?.node.type === "ExpressionStatement" || node.end - node.start > VALUE_LENGTH_MAX) return false;
  return /^(?:Identifier|MemberExpression|CallExpression)$/.test(node.type);
}
