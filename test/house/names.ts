/**
 * What things are called and where they lie.
 */
import { basename } from "node:path";
import { floors, folderOf } from "./house.ts";
import type { Rule } from "./rule.ts";

const topFolders = new Set([...floors, "bench", "test", "docs", "examples", ".ci"]);
const topFiles = new Set([
  ".gitignore",
  ".npmrc",
  ".oxfmtrc.json",
  ".oxlintrc.json",
  "CHANGELOG.md",
  "LICENSE",
  "README.md",
  "knip.json",
  "package-lock.json",
  "package.json",
  "tsconfig.build.json",
  "tsconfig.json",
]);

const kebabCase = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:agent|test|long\.test))?\.(?:ts|mjs)$/;
const emptyWords = new Set(["util", "utils", "helper", "helpers", "common", "misc", "manager"]);

const fixedTop: Rule = {
  title: "the top level holds the six floors, docs, examples and the tools' own files",
  findings: ({ files }) =>
    [...files.keys()]
      .filter((path) => !(folderOf(path) === "" ? topFiles.has(path) : topFolders.has(folderOf(path))))
      .map((path) => `${path}:1 has no place at the top level`),
  refuses: [
    { shows: "a seventh floor", files: { "lib/x.ts": "" } },
    { shows: "a loose file", files: { "notes.md": "" } },
  ],
  accepts: [{ shows: "a floor and the manifest", files: { "vault/index.ts": "", "package.json": "" } }],
};

const fileNames: Rule = {
  title: "a source file is named by a kebab-case noun that says what it is",
  findings: ({ sources }) =>
    sources
      .filter(({ path }) => {
        const name = basename(path);
        return !kebabCase.test(name) || name.split(/[-.]/).some((word) => emptyWords.has(word));
      })
      .map(({ path }) => `${path}:1 rename it: kebab-case, and a noun that says what is inside`),
  refuses: ["pageTree.ts", "PageTree.ts", "page_tree.ts", "utils.ts", "test-helpers.ts", "branch-manager.ts"].map(
    (name) => ({ shows: name, files: { [`vault/${name}`]: "" } }),
  ),
  accepts: ["page-tree.ts", "wal.test.ts", "wal.long.test.ts", "notes.agent.ts", "wal.ts"].map((name) => ({
    shows: name,
    files: { [`vault/${name}`]: "" },
  })),
};

/** All rules about names and places. */
export const nameRules: readonly Rule[] = [fixedTop, fileNames];
