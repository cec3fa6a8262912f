/**
 * Modules as scripts: a program on trial may be written as a module that exports its function. The words go, the declarations
 * stay. What it would import, it does not get.
 */
import type { AnyNode } from "../../../sandbox/index.ts";
import type { Edit } from "../../mutation/edit.ts";

/** As which name a default export without one can be called. */
export const DEFAULT_ENTRY = "$default";

const NO_IMPORTS = "it imports another module, and there is none";
const DEFAULT_WORDS = /^export\s+default\b/;
/** Words further apart are refused. */
const WORDS_UNITS_MAX = 100;

/** What becomes of a node of `code` that only modules have; no edits for any other. */
export function exportEdits(
  node: AnyNode,
  code: string,
): { readonly edits: readonly Edit[] } | { readonly unfit: string } {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportAllDeclaration":
    case "ImportExpression":
      return { unfit: NO_IMPORTS };
    case "MetaProperty":
      return node.meta.name === "import" ? { unfit: "import.meta is not available" } : { edits: [] };
    case "ExportNamedDeclaration":
      if (node.source) return { unfit: NO_IMPORTS };
      return { edits: [{ start: node.start, end: node.declaration?.start ?? node.end, text: "" }] };
    case "ExportDefaultDeclaration": {
      // Up to the word itself: what follows may stand in parentheses, which are no part of the tree.
      const words = DEFAULT_WORDS.exec(code.slice(node.start, node.start + WORDS_UNITS_MAX))?.[0];
      if (words === undefined) return { unfit: "a comment stands between export and default" };
      const { declaration } = node;
      const isNamed = "id" in declaration && declaration.id !== null && declaration.type.endsWith("Declaration");
      const text = isNamed ? "" : `const ${DEFAULT_ENTRY} =`;
      return { edits: [{ start: node.start, end: node.start + words.length, text }] };
    }
    default:
      return { edits: [] };
  }
}
