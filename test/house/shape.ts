/**
 * The shape of a file: what it must begin with, what must be explained, and what has no place in it.
 */
import { basename } from "node:path";
import {
  dottedName,
  folderOf,
  isNode,
  isOnFloor,
  literalText,
  place,
  walk,
  type House,
  type Node,
  type Source,
} from "./house.ts";
import type { Rule, Specimen } from "./rule.ts";

/** Looks at each node of the files that `applies` to. */
function findingsPerNode(
  applies: (path: string) => boolean,
  check: (node: Node, source: Source) => string | undefined,
): Rule["findings"] {
  return (house: House) =>
    house.sources
      .filter(({ path }) => applies(path))
      .flatMap((source) =>
        [...walk(source.program)].flatMap((node) => {
          const finding = check(node, source);
          return finding === undefined ? [] : [`${place(source, node.start)} ${finding}`];
        }),
      );
}

const onVault = (shows: string, text: string): Specimen => ({ shows, files: { "vault/wal.ts": text } });

const header: Rule = {
  title: "a file begins with a comment that says what it is for",
  findings: ({ sources }) =>
    sources
      .filter(({ text }) => !/^(?:#!.*\n)?\/\*\*?\s*\S/.test(text))
      .map(({ path }) => `${path}:1 begins without a header comment`),
  refuses: [onVault("imports first", 'import "node:fs";\n/** Late. */'), onVault("a line comment", "// Short.\n")],
  accepts: [onVault("a header", "/** The log. */\n"), onVault("a header under #!", "#!/usr/bin/env node\n/** X. */")],
};

const entryFiles: Rule = {
  title: "an index.ts only lists exports of other files",
  findings: ({ sources }) =>
    sources
      .filter(({ path }) => basename(path) === "index.ts")
      .flatMap((source) =>
        statements(source)
          .filter((node) => !(/^Export(?:All|Named)Declaration$/.test(node.type) && isNode(node.source)))
          .map((node) => `${place(source, node.start)} is not an export from another file`),
      ),
  refuses: [
    { shows: "logic", files: { "vault/index.ts": "/** X. */\nexport const a = 1;" } },
    { shows: "an import", files: { "vault/index.ts": '/** X. */\nimport "./wal.ts";' } },
  ],
  accepts: [
    { shows: "exports", files: { "vault/index.ts": 'export { a } from "./a.ts";\nexport type * from "./b.ts";' } },
  ],
};

function statements({ program }: Source): readonly Node[] {
  return Array.isArray(program.body) ? program.body.filter(isNode) : [];
}

const docstrings: Rule = {
  title: "every export has a docstring of its own",
  findings: ({ sources }) =>
    sources
      .filter(({ path }) => isDocumented(path))
      .flatMap((source) =>
        undocumented(source).map((node) => `${place(source, node.start)} is exported without a docstring`),
      ),
  refuses: [
    onVault("a bare export", "/** Header. */\n\nexport const a = 1;"),
    onVault("a header that is taken for a docstring", "/** Header. */\nexport const a = 1;"),
    onVault("a line comment", "/** Header. */\n// No.\nexport function f() {}"),
    onVault("a constant apart", "/** H. */\n/** A. */\nexport const a = 1;\n\nexport const b = 2;"),
    onVault("a function under a constant", "/** H. */\n/** A. */\nexport const a = 1;\nexport function f() {}"),
    onVault("a list that exports a bare name", "/** Header. */\nconst a = 1;\nexport { a };"),
  ],
  accepts: [
    onVault("a docstring", "/** Header. */\n/** A. */\nexport const a = 1;"),
    onVault("a listed name with a docstring", "/** Header. */\n/** A. */\nconst a = 1;\nexport { a };"),
    onVault(
      "overloads under one docstring",
      "/** H. */\n/** F. */\nexport function f(): void;\nexport function f() {}",
    ),
    onVault("constants line under line", "/** H. */\n/** Letters. */\nexport const a = 1;\nexport const b = 2;"),
    onVault("a re-export", '/** Header. */\nexport { a } from "./a.ts";'),
    { shows: "a test", files: { "test/vault/wal.test.ts": "/** Header. */\nexport const a = 1;" } },
  ],
};

/** Files whose exports explain themselves, each with its reason. */
const selfExplaining: Readonly<Record<string, string>> = {
  "sandbox/guest/primordials.ts": "each export is a built-in under its own name; the header says why they are captured",
};

function isDocumented(path: string): boolean {
  if (path in selfExplaining || !path.endsWith(".ts")) return false;
  return isOnFloor(path) || path.startsWith("test/support/") || path.startsWith("test/house/");
}

function undocumented(source: Source): readonly Node[] {
  const found: Node[] = [];
  let documented: Node | undefined;
  for (const node of statements(source)) {
    if (node.type !== "ExportNamedDeclaration" || isNode(node.source)) continue;
    for (const each of isNode(node.declaration) ? [node] : listed(node).map((name) => declarationOf(source, name))) {
      if (each === undefined) continue; // an imported name, documented where it is declared
      if (hasDocstring(source, each) || (documented !== undefined && isSameGroup(source, documented, each))) {
        documented = each;
      } else found.push(each);
    }
  }
  return found;
}

/** One docstring serves the overloads of a function, and constants that stand line under line. */
function isSameGroup({ text }: Source, before: Node, node: Node): boolean {
  const name = nameOf(node);
  if (name !== "" && name === nameOf(before)) return true;
  return isConstant(before) && isConstant(node) && /^ *\n *$/.test(text.slice(before.end, node.start));
}

function isConstant({ declaration }: Node): boolean {
  return isNode(declaration) && declaration.type === "VariableDeclaration";
}

function listed(node: Node): readonly string[] {
  const specifiers = Array.isArray(node.specifiers) ? node.specifiers.filter(isNode) : [];
  return specifiers.map(({ local }) => dottedName(local));
}

function declarationOf(source: Source, name: string): Node | undefined {
  return statements(source).find((node) => nameOf(node) === name && node.type !== "ExportNamedDeclaration");
}

/** The name that a declaration, exported or not, declares; "" for several at once. */
function nameOf(node: Node): string {
  if (isNode(node.declaration)) return nameOf(node.declaration);
  if (isNode(node.id)) return dottedName(node.id);
  const [first, second] = Array.isArray(node.declarations) ? node.declarations : [];
  return isNode(first) && second === undefined ? dottedName(first.id) : "";
}

function hasDocstring({ text, comments }: Source, node: Node): boolean {
  return comments.some(
    ({ type, value, start, end }) =>
      type === "Block" &&
      value.startsWith("*") &&
      start > 0 &&
      end <= node.start &&
      text.slice(end, node.start).trim() === "",
  );
}

const noAny: Rule = {
  title: "nothing is typed any",
  findings: findingsPerNode(
    () => true,
    (node) => (node.type === "TSAnyKeyword" ? "is any: use unknown and look at it once" : undefined),
  ),
  refuses: [onVault("a parameter", "function f(a: any) {}"), onVault("a cast", "x as any;")],
  accepts: [onVault("the word in a comment and in a text", '// any\nconst a = "any";')],
};

const classes: Rule = {
  title: "classes hide with #private and inherit from nothing but Error",
  // The web's own classes inherit as their standards say: an AbortSignal is an EventTarget.
  findings: findingsPerNode(
    (path) => isOnFloor(path) && !path.startsWith("sandbox/guest/web/"),
    (node) => {
      // A private constructor has no # form: it says that a static method makes the objects.
      if (node.kind === "constructor") return undefined;
      if (node.accessibility === "private" || node.accessibility === "protected")
        return `is ${node.accessibility}: use #`;
      if (!/^Class(?:Declaration|Expression)$/.test(node.type) || !isNode(node.superClass)) return undefined;
      return dottedName(node.superClass) === "Error" ? undefined : "inherits: hold the other object instead";
    },
  ),
  refuses: [
    onVault("a private keyword", "class A { private a = 1; }"),
    onVault("inheritance", "class A extends EventEmitter {}"),
  ],
  accepts: [
    onVault("an error", "class A extends Error { #a = 1; }"),
    onVault("a private constructor", "class A { private constructor() {} }"),
  ],
};

const quiet: Rule = {
  title: "only the command, the bench, examples and tests write to the console",
  findings: findingsPerNode(
    (path) => isOnFloor(path) && !path.startsWith("evolution/command/"),
    (node) =>
      node.type === "MemberExpression" && dottedName(node.object) === "console"
        ? "writes to the console: emit an event"
        : undefined,
  ),
  refuses: [onVault("a log line", 'console.log("x");')],
  accepts: [
    onVault("the word in a text", 'const a = "console.log(1)";'),
    { shows: "the command", files: { "evolution/command/ps.ts": "console.log(1);" } },
  ],
};

const laterWork = /\b(?:TODO|FIXME|XXX|HACK)\b/;

const castsExplained: Rule = {
  title: "a cast carries a comment that says what makes it true",
  findings: findingsPerNode(isOnFloor, (node, source) => {
    if (node.type !== "TSAsExpression" || isConst(node) || isEmptyList(node.expression)) return undefined;
    return hasCommentNear(source, node) ? undefined : "is a cast without a comment that says what makes it true";
  }),
  refuses: [onVault("a bare cast", "const a = b as Seq;")],
  accepts: [
    onVault("a comment above", "// Counted by the log alone.\nconst a = b as Seq;"),
    onVault("a comment beside", "const a = b as Seq; // counted by the log alone"),
    onVault("an empty list", "const a = [] as Seq[];"),
    onVault("as const, which is checked", "const a = [1] as const;"),
  ],
};

/** An empty list is a list of anything: `[] as Note[]` says what will be put in. */
function isEmptyList(value: unknown): boolean {
  return (
    isNode(value) && value.type === "ArrayExpression" && Array.isArray(value.elements) && value.elements.length === 0
  );
}

function isConst({ typeAnnotation }: Node): boolean {
  return isNode(typeAnnotation) && dottedName(typeAnnotation.typeName) === "const";
}

/** A comment that ends on the cast's own line or at most three lines above it: one comment may serve a few casts. */
function hasCommentNear({ text, comments }: Source, node: Node): boolean {
  const lineEnd = text.indexOf("\n", node.end);
  return comments.some(({ start, end }) => {
    const isBeside = start >= node.end && (lineEnd < 0 || start < lineEnd);
    return isBeside || (end <= node.end && text.slice(end, node.start).split("\n").length <= 4);
  });
}

const noLaterWork: Rule = {
  title: "no comment promises later work",
  findings: ({ sources }) =>
    sources.flatMap((source) =>
      source.comments
        .filter(({ value }) => laterWork.test(value))
        .map(({ start }) => `${place(source, start)} marks later work: do it, or leave it to an issue`),
    ),
  refuses: [onVault("a marker", "// TODO: later"), onVault("a marker in a block", "/* FIXME */")],
  accepts: [onVault("the word in a text", 'const a = "TODO";')],
};

const testFunctions = new Set(["test", "it", "describe", "suite"]);

const noSilencedTests: Rule = {
  title: "no test is alone, postponed, or skipped without a reason",
  findings: findingsPerNode(
    (path) => folderOf(path) === "test",
    (node) => {
      if (node.type === "CallExpression") return silencedCall(node);
      if (node.type !== "Property" || !isNode(node.value)) return undefined;
      const key = dottedName(node.key);
      const isOn = node.value.type === "Literal" && node.value.value === true;
      return isOn && ["only", "skip", "todo"].includes(key) ? `${key}: true gives no reason` : undefined;
    },
  ),
  refuses: [
    'it.only("a", () => {});',
    'test.skip("a", () => {});',
    'describe.todo("a");',
    "t.skip();",
    'it("a", { skip: true }, f);',
    "t.todo();",
  ].map((text) => ({ shows: text, files: { "test/vault/wal.test.ts": text } })),
  accepts: ['it("a", () => {});', 't.skip("no bubblewrap here");', 'it("a", { skip: why }, f);', "list.skip(3);"].map(
    (text) => ({
      shows: text,
      files: { "test/vault/wal.test.ts": text },
    }),
  ),
};

function silencedCall(node: Node): string | undefined {
  const [object, method] = dottedName(node.callee).split(".");
  if (method !== "only" && method !== "skip" && method !== "todo") return undefined;
  if (testFunctions.has(object ?? "")) return `${object}.${method} hides a test`;
  const [reason] = Array.isArray(node.arguments) ? node.arguments : [];
  const isContext = object === "t" || object === "context";
  return isContext && literalText(reason) === undefined && !isNode(reason) ? `${method}() gives no reason` : undefined;
}

/** All rules about the shape of a file. */
export const shapeRules: readonly Rule[] = [
  header,
  entryFiles,
  docstrings,
  noAny,
  classes,
  quiet,
  castsExplained,
  noLaterWork,
  noSilencedTests,
];
