/**
 * Who may import whom: stairs only go down, floors are entered by the front door, a heavy dependency has one door, and
 * the Guardian never loads the engine that runs guests.
 */
import { floors, folderOf, isOnFloor, place, type House, type Import, type Source } from "./house.ts";
import type { Rule } from "./rule.ts";

/** The files that may import a package. A package that is not listed has no door yet: decide on one here. */
const doors: Readonly<Record<string, RegExp>> = {
  lmdb: /^(?:vault\/store|bench\/vault\/raw-lmdb)\.ts$/, // the bench compares the vault with lmdb as it is
  "isolated-vm": /^sandbox\/isolate\.ts$/,
  acorn: /^sandbox\/inspect\/parse\.ts$/, // one parser, for all who read programs
  esbuild: /^sandbox\/(?:compile-build|esbuild-service|own-code)\.ts$/, // agents' code, the service, our own code
  "whatwg-url-minimum": /^sandbox\/guest\/web\/url\.ts$/, // bundled into the code of agents that name URL
  devalue: /^sandbox\/guest\/rich\.ts$/, // the codec's second half; it is also bundled into the guest
  chokidar: /^runtime\/watch\.ts$/,
  yaml: /^runtime\/agent-file\.ts$/,
  croner: /^runtime\/cron\.ts$/,
  undici: /^runtime\/capabilities\/egress-exchange\.ts$/, // its client alone
  "eventsource-parser": /^runtime\/capabilities\/llm-events\.ts$/,
  "@modelcontextprotocol/client": /^runtime\/capabilities\/mcp-package\.ts$/, // optional: loaded when a server is opened
  pino: /^runtime\/log\.ts$/,
  "pure-rand": /^runtime\/random\.ts$/,
  zod: /^(?:(?:runtime|evolution)\/(?:[a-z]+-)?options|runtime\/capabilities\/[a-z]+-grant)\.ts$/, // each capability checks its own grant and arguments
  commander: /^evolution\/command\//,
  "xxhash-wasm": /^vault\/page\.ts$/,
  tinybench: /^bench\/harness\.ts$/,
};

const engine = "isolated-vm";

/** Everything that runs in the Guardian's process starts in one of these. */
const guardianEntries = ["runtime/index.ts", "evolution/index.ts", "sandbox/index.ts", "evolution/command/main.ts"];

function findingsPerImport(check: (source: Source, imported: Import) => string | undefined): Rule["findings"] {
  return (house) =>
    house.sources.flatMap((source) =>
      source.imports.flatMap((imported) => {
        const finding = check(source, imported);
        return finding === undefined ? [] : [`${place(source, imported.start)} ${finding}`];
      }),
    );
}

const downwards: Rule = {
  title: "a floor imports from itself and from lower floors only",
  findings: findingsPerImport((source, { target }) => {
    if (target === undefined || !isOnFloor(source.path)) return undefined;
    const from = folderOf(source.path);
    const to = folderOf(target);
    if (floors.includes(to) && floors.indexOf(to) <= floors.indexOf(from)) return undefined;
    return `imports ${target}: from ${from} only ${floors.slice(0, floors.indexOf(from) + 1).join(", ")} can be seen`;
  }),
  refuses: [
    { shows: "a step up", files: { "vault/wal.ts": 'import { Runtime } from "../runtime/index.ts";' } },
    { shows: "a step up for a type", files: { "sandbox/cell.ts": 'import type { X } from "../runtime/index.ts";' } },
    { shows: "a look into the garden", files: { "runtime/agent.ts": 'import { x } from "../test/support/clock.ts";' } },
    { shows: "a step up by import()", files: { "vault/wal.ts": 'await import("../evolution/index.ts");' } },
    { shows: "a re-export from above", files: { "vault/index.ts": 'export * from "../sandbox/index.ts";' } },
  ],
  accepts: [
    { shows: "a step down", files: { "runtime/agent.ts": 'import { Vault } from "../vault/index.ts";' } },
    { shows: "a test that looks anywhere", files: { "test/vault/wal.test.ts": 'import "../../vault/wal.ts";' } },
  ],
};

/** Entries of the package beside index.ts, which the floors above may use too. */
const sideDoors = new Set(["runtime/testing.ts"]);

const frontDoors: Rule = {
  title: "another floor is entered by its index.ts, or by another public entry of its own",
  findings: findingsPerImport((source, { target }) => {
    if (target === undefined || !isOnFloor(source.path) || !isOnFloor(target)) return undefined;
    const to = folderOf(target);
    if (to === folderOf(source.path) || target === `${to}/index.ts` || sideDoors.has(target)) return undefined;
    return `imports ${target}: enter by ${to}/index.ts`;
  }),
  refuses: [{ shows: "a window", files: { "runtime/agent.ts": 'import { Wal } from "../vault/wal.ts";' } }],
  accepts: [
    {
      shows: "the front door",
      files: { "evolution/command/ps.ts": 'import { Runtime } from "../../runtime/index.ts";' },
    },
    {
      shows: "another public entry",
      files: { "evolution/command/simulate.ts": 'import { simulate } from "../../runtime/testing.ts";' },
    },
    { shows: "a neighbour on the same floor", files: { "vault/vault.ts": 'import { Wal } from "./wal.ts";' } },
  ],
};

const typesFromVault: Rule = {
  title: "sandbox takes only types from vault",
  findings: findingsPerImport((source, { target, isTypeOnly }) => {
    if (folderOf(source.path) !== "sandbox" || folderOf(target ?? "") !== "vault" || isTypeOnly) return undefined;
    return `imports code from ${target}: a cell must never load the database; write "import type"`;
  }),
  refuses: [
    { shows: "code", files: { "sandbox/cell.ts": 'import { Vault } from "../vault/index.ts";' } },
    {
      shows: "an inline type, which keeps the import",
      files: { "sandbox/cell.ts": 'import { type V } from "../vault/index.ts";' },
    },
  ],
  accepts: [{ shows: "a type", files: { "sandbox/cell.ts": 'import type { Clock } from "../vault/index.ts";' } }],
};

const oneDoor: Rule = {
  title: "each dependency has one door",
  findings: findingsPerImport((source, { specifier, target }) => {
    if (target !== undefined || specifier.startsWith("node:") || folderOf(specifier) === "planaria") return undefined;
    const isInside = isOnFloor(source.path) || folderOf(source.path) === "bench";
    if (!isInside || specifier === "planaria" || doors[packageOf(specifier)]?.test(source.path)) return undefined;
    const door = doors[packageOf(specifier)];
    return `imports ${specifier}: ${door === undefined ? "it has no door in test/house/floors.ts" : `its door is ${door.source}`}`;
  }),
  refuses: [
    { shows: "a second door", files: { "vault/wal.ts": 'import { open } from "lmdb";' } },
    { shows: "a second door in the bench", files: { "bench/vault/acks.ts": 'import { open } from "lmdb";' } },
    { shows: "a subpath of a package", files: { "runtime/agent.ts": 'import { z } from "zod/mini";' } },
    { shows: "a package without a door", files: { "runtime/agent.ts": 'import chalk from "chalk";' } },
    { shows: "a builtin without its scheme", files: { "runtime/agent.ts": 'import fs from "fs";' } },
  ],
  accepts: [
    { shows: "the door", files: { "vault/store.ts": 'import { open } from "lmdb";' } },
    { shows: "what the vault is compared with", files: { "bench/vault/raw-lmdb.ts": 'import { open } from "lmdb";' } },
    { shows: "a test's own tool", files: { "test/vault/model.test.ts": 'import fc from "fast-check";' } },
  ],
};

function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

const guardianWithoutEngine: Rule = {
  title: "the Guardian's process never loads isolated-vm",
  findings: (house) =>
    guardianEntries.flatMap((entry) => {
      const path = pathTo(house, entry);
      return path === undefined ? [] : [`${path.join(" -> ")}: only a cell may load ${engine}`];
    }),
  refuses: [
    {
      shows: "a way over two files",
      files: {
        "runtime/index.ts": 'export { a } from "./a.ts";',
        "runtime/a.ts": 'import { b } from "../sandbox/index.ts";\nexport const a = b;',
        "sandbox/index.ts": 'export { b } from "./isolate.ts";',
        "sandbox/isolate.ts": 'import ivm from "isolated-vm";\nexport const b = ivm;',
      },
    },
    { shows: "import()", files: { "evolution/index.ts": 'export const load = () => import("isolated-vm");' } },
  ],
  accepts: [
    {
      shows: "a type of the file behind the door",
      files: {
        "sandbox/index.ts": 'export type { B } from "./isolate.ts";',
        "sandbox/isolate.ts": 'import ivm from "isolated-vm";\nexport type B = typeof ivm;',
      },
    },
  ],
};

/** The shortest chain of value imports from `entry` to the engine, if there is one. */
function pathTo(house: House, entry: string): readonly string[] | undefined {
  const sources = new Map(house.sources.map((source) => [source.path, source]));
  const cameFrom = new Map<string, string | undefined>([[entry, undefined]]);
  for (const path of cameFrom.keys()) {
    for (const { specifier, target, isTypeOnly } of sources.get(path)?.imports ?? []) {
      const next = target ?? packageOf(specifier);
      if (isTypeOnly || cameFrom.has(next)) continue;
      cameFrom.set(next, path);
      if (next === engine) return chain(cameFrom, next);
    }
  }
  return undefined;
}

function chain(cameFrom: ReadonlyMap<string, string | undefined>, end: string): readonly string[] {
  const path: string[] = [];
  for (let at: string | undefined = end; at !== undefined; at = cameFrom.get(at)) path.unshift(at);
  return path;
}

const publicNames: Rule = {
  title: "the public names are for examples and agents, everybody else imports files",
  findings: findingsPerImport((source, { specifier, target }) => {
    const isOutsider = folderOf(source.path) === "examples" || source.path.startsWith("test/fixtures/");
    if (packageOf(specifier) === "planaria") {
      // An agent's module is bundled on its own, so it names the package wherever it lies.
      if (isOutsider || source.path.endsWith(".agent.ts")) return undefined;
      return `imports ${specifier}: inside the repository that is the built package; import the file`;
    }
    const isShim = source.path.startsWith("examples/planaria/");
    if (folderOf(source.path) !== "examples" || isShim || target === undefined || folderOf(target) === "examples") {
      return undefined;
    }
    return `imports ${target}: an example shows what a user writes; import "planaria"`;
  }),
  refuses: [
    {
      shows: "a floor that imports its own package",
      files: { "runtime/agent.ts": 'import { Runtime } from "planaria";' },
    },
    { shows: "an example that reaches inside", files: { "examples/crash.ts": 'import "../runtime/index.ts";' } },
  ],
  accepts: [
    { shows: "an example", files: { "examples/crash.ts": 'import { Runtime } from "planaria";' } },
    { shows: "an agent", files: { "evolution/command/notes.agent.ts": 'import { agent } from "planaria/agent";' } },
  ],
};

/** All rules about imports. */
export const floorRules: readonly Rule[] = [
  downwards,
  frontDoors,
  typesFromVault,
  oneDoor,
  guardianWithoutEngine,
  publicNames,
];
