/**
 * Where and on what the bench ran. Absolute figures mean nothing without it, and little with it: compare ratios.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";

/** The machine and the code, as far as they bear on the figures. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly system: string;
  /** Runnable processes over the last minute, before the bench began: above 0 the machine had other work. */
  readonly load: number;
  readonly node: string;
  readonly packages: Readonly<Record<string, string>>;
  /** Short hash; "+" when files differ from it; "unknown" outside a clone. */
  readonly commit: string;
}

const root = join(import.meta.dirname, "..");
/** The packages that do the work being measured. */
const measured = ["isolated-vm", "lmdb", "esbuild", "devalue"];

/** Looks at the machine as it is now. */
export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryGib: totalmem() / 2 ** 30,
    system: `${process.platform} ${process.arch} ${release()}`,
    load: loadavg()[0] ?? 0,
    node: process.versions.node,
    packages: packageVersions(),
    commit: commitOf(root),
  };
}

/** From the manifest, which pins exact versions. */
function packageVersions(): Readonly<Record<string, string>> {
  // npm would not have installed the project if `dependencies` were anything but names with version texts.
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  return Object.fromEntries(measured.map((name) => [name, manifest.dependencies[name] ?? "absent"]));
}

function commitOf(folder: string): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync("git", args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    const isChanged = git("status", "--porcelain", "--untracked-files=no") !== "";
    return git("rev-parse", "--short", "HEAD") + (isChanged ? "+" : "");
  } catch {
    return "unknown"; // no git, or no clone: the figures stand without it
  }
}
