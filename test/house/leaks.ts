/**
 * What only holds on the machine it was written on: its folders, its registry, its platform, and the paths that exist
 * only before the build.
 */
import { dottedName, isOnFloor, literalText, place, walk, type House } from "./house.ts";
import type { Rule } from "./rule.ts";

// The one file that must spell out what it looks for.
const ownPath = "test/house/leaks.ts";
const machinePath = /(?:^|[\s"'`=:(])\/(?:home|Users|work)\/\w/;
const lockfile = "package-lock.json";
const registryHost = /\b(?:registry\.npmjs\.org|registry\.yarnpkg\.com|npmmirror)/;

function findingsPerLine(house: House, breach: (line: string, path: string) => string | undefined): readonly string[] {
  const files = [...house.files].filter(([path]) => path !== ownPath);
  return files.flatMap(([path, text]) =>
    text.split("\n").flatMap((line, index) => {
      const finding = breach(line, path);
      return finding === undefined ? [] : [`${path}:${index + 1} ${finding}`];
    }),
  );
}

const noMachinePaths: Rule = {
  title: "no file names a folder of the machine it was written on",
  findings: (house) =>
    findingsPerLine(house, (line) => (machinePath.test(line) ? "names a machine's own path" : undefined)),
  refuses: [
    { shows: "a home", files: { "docs/a.md": 'see "/home/ann/x"' } },
    { shows: "a home on a Mac", files: { "bench/a.ts": 'const a = "/Users/ann/x";' } },
  ],
  accepts: [{ shows: "a path of any Linux", files: { "sandbox/cell.ts": 'const a = "/proc/self/stat";' } }],
};

const noRegistryHosts: Rule = {
  title: "no file names a registry, and the lockfile names no host",
  findings: (house) =>
    findingsPerLine(house, (line, path) => {
      if (registryHost.test(line)) return "names a registry";
      return path === lockfile && /"resolved":/.test(line) ? "pins a host; see .npmrc" : undefined;
    }),
  refuses: [
    { shows: "a resolved entry", files: { "package-lock.json": '{ "resolved": "https://somewhere/x.tgz" }' } },
    { shows: "a registry", files: { ".npmrc": "registry=https://registry.npmjs.org/" } },
  ],
  accepts: [{ shows: "a plain entry", files: { "package-lock.json": '{ "integrity": "sha512-x" }' } }],
};

const wholeLockfile: Rule = {
  title: "the lockfile holds the packages of every platform, or npm ci would refuse it",
  findings: ({ files }) => {
    const { packages = {} } = JSON.parse(files.get(lockfile) ?? "{}") as Lockfile;
    const names = new Set(Object.keys(packages).map((path) => path.slice(path.lastIndexOf("node_modules/") + 13)));
    return Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies)
        .filter((name) => !names.has(name))
        .map((name) => `${lockfile}:1 ${path} may need ${name}, which is missing: take a version that is complete`),
    );
  },
  refuses: [
    {
      shows: "a platform that is missing",
      files: { [lockfile]: '{ "packages": { "node_modules/a": { "optionalDependencies": { "@a/mac": "1.0.0" } } } }' },
    },
  ],
  accepts: [
    {
      shows: "a platform that is there, below the package",
      files: {
        [lockfile]: `{ "packages": { "node_modules/a": { "optionalDependencies": { "@a/mac": "1.0.0" } },
          "node_modules/a/node_modules/@a/mac": {} } }`,
      },
    },
  ],
};

/** The part of npm's lockfile, version 3, that is looked at here. */
interface Lockfile {
  readonly packages?: Readonly<Record<string, { readonly optionalDependencies?: Readonly<Record<string, string>> }>>;
}

const urlsToSources: Rule = {
  title: "only sandbox/cell.ts points at a source file by URL, which the compiler does not rewrite",
  findings: ({ sources }) =>
    sources
      .filter(({ path }) => isOnFloor(path) && path.endsWith(".ts") && path !== "sandbox/cell.ts")
      .flatMap((source) =>
        [...walk(source.program)]
          .filter((node) => node.type === "NewExpression" && dottedName(node.callee) === "URL")
          .filter((node) => Array.isArray(node.arguments) && literalText(node.arguments[0])?.endsWith(".ts") === true)
          .map((node) => `${place(source, node.start)} would not exist after the build`),
      ),
  refuses: [{ shows: "a URL", files: { "runtime/a.ts": 'new URL("./b.ts", import.meta.url);' } }],
  accepts: [
    { shows: "the cell's own door", files: { "sandbox/cell.ts": 'new URL("./b.ts", import.meta.url);' } },
    { shows: "an example", files: { "examples/crash.ts": 'new URL("./b.ts", import.meta.url);' } },
  ],
};

/** All rules about what must stay here. */
export const leakRules: readonly Rule[] = [noMachinePaths, noRegistryHosts, wholeLockfile, urlsToSources];
