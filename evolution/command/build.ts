/**
 * `npm run build`: turns the sources into the folder that is published. Nothing inside the repository needs it: sources
 * run as they are. Node strips no types inside node_modules, so an installed package is plain JavaScript.
 *
 *   runtime sandbox vault evolution --tsc--> dist/**.js, dist/**.d.ts
 *   sandbox (the program of a cell) --esbuild--> dist/sandbox/cell-bundle.cjs
 *   sandbox (the program of a cell for programs on trial) --esbuild--> dist/sandbox/program-cell-bundle.cjs
 *   sandbox (the compiler's program) --esbuild--> dist/sandbox/compiler/compiler-bundle.cjs
 *
 * Invariants
 * 1. `dist` holds what this run made and nothing older.
 * 2. A type error leaves no half-built `dist` behind and ends with a code other than 0.
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import {
  CELL_BUNDLE_NAME,
  COMPILER_BUNDLE_NAME,
  PROGRAM_CELL_BUNDLE_NAME,
  writeCellBundle,
  writeCompilerBundle,
  writeProgramCellBundle,
} from "../../sandbox/index.ts";

const root = join(import.meta.dirname, "../..");
const dist = join(root, "dist");

rmSync(dist, { recursive: true, force: true });
compile();
await writeCellBundle(join(dist, "sandbox", CELL_BUNDLE_NAME));
await writeProgramCellBundle(join(dist, "sandbox", PROGRAM_CELL_BUNDLE_NAME));
await writeCompilerBundle(join(dist, "sandbox", COMPILER_BUNDLE_NAME));

/** Removes the types. The compiler has said what is wrong when it fails; this process ends with its code. */
function compile(): void {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const { status, error } = spawnSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json")], {
    stdio: "inherit",
  });
  if (error !== undefined) throw error;
  if (status === 0) return;
  rmSync(dist, { recursive: true, force: true });
  process.exit(status ?? 1);
}
