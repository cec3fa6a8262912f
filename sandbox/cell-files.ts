/** The files a cell is made of: the node binary, isolated-vm's prebuilt library for it, and the libraries both need. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { SandboxError } from "./errors.ts";
import { findExecutable, tryExecutable } from "./executable.ts";

/** isolated-vm's library for the running Node. Throws SANDBOX_CELL_START_FAILED when the package has none for it. */
export function engineFile(): string {
  const folder = dirname(createRequire(import.meta.url).resolve("isolated-vm/package.json"));
  const { platform, arch, versions } = process;
  // Prebuilds are named as node-gyp-build names them; it tells musl from glibc the same way.
  const libc = platform !== "linux" ? "" : existsSync("/etc/alpine-release") ? ".musl" : ".glibc";
  const prebuilt = join(folder, "prebuilds", `${platform}-${arch}`, `isolated-vm.abi${versions.modules}${libc}.node`);
  const built = join(folder, "build", "Release", "isolated_vm.node");
  const file = [built, prebuilt].find((path) => existsSync(path));
  if (file !== undefined) return file;
  throw new SandboxError(
    "SANDBOX_CELL_START_FAILED",
    `isolated-vm has no library for Node ${versions.node} on ${platform}-${arch}; it supports Node 24 and 26.`,
    { details: { expected: prebuilt } },
  );
}

let libraries: Promise<readonly string[]> | undefined;

/** Full paths of the shared libraries and the loader that node and isolated-vm need, from `ldd`; asked once. */
export function sharedLibraries(): Promise<readonly string[]> {
  libraries ??= askLdd().catch((error: unknown) => {
    libraries = undefined; // There was no room to ask; the next one asks again.
    throw error;
  });
  return libraries;
}

async function askLdd(): Promise<readonly string[]> {
  const ldd = findExecutable("ldd");
  if (ldd === undefined) return [];
  const { stdout } = await tryExecutable(ldd, [process.execPath, engineFile()]);
  const paths = stdout.split("\n").map((line) => /(?:=>\s*|^\s+)(\/\S+) \(0x/.exec(line)?.[1]);
  return [...new Set(paths.filter((path) => path !== undefined))];
}
