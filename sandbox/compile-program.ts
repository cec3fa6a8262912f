/**
 * How the compiler's own process is run: in a job's sandbox, with no network and nothing of the operator's in sight but our
 * bundle and esbuild's program; else under Node's permission model, which holds the bundle, though not esbuild.
 */
import { realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { compilerBundle } from "./bundle.ts";
import { cellClock } from "./cell-clock.ts";
import { JOB_LIMITS, type JobOptions } from "./job-options.ts";

/** Resident memory of the compiler's process and of esbuild: node has 50 MiB of it, a source of a megabyte some 100. */
export const COMPILER_MB = 512;

/** Where its files are, as it sees them in its sandbox. */
const INSIDE = { program: "/planaria", esbuild: "/esbuild" } as const;
/** Itself and esbuild; the rest is room for what is between them for a moment. */
const PROCESSES_MAX = 4;

/** What to start. Rejects with SANDBOX_CELL_START_FAILED where the package is damaged. */
export async function compileProgram(isSandboxed: boolean): Promise<JobOptions> {
  const bundle = await compilerBundle();
  const esbuild = esbuildFile();
  const seen = isSandboxed
    ? { bundle: join(INSIDE.program, basename(bundle)), esbuild: join(INSIDE.esbuild, basename(esbuild)) }
    : { bundle, esbuild };
  const reads = Object.values(seen).map((path) => `--allow-fs-read=${path}`);
  return {
    file: process.execPath,
    args: ["--permission", "--allow-child-process", ...reads, "--disable-warning=SecurityWarning", seen.bundle],
    env: { ESBUILD_BINARY_PATH: seen.esbuild, UV_USE_IO_URING: "0" },
    folders: isSandboxed
      ? [
          { path: dirname(bundle), at: INSIDE.program, isWritable: false },
          { path: dirname(esbuild), at: INSIDE.esbuild, isWritable: false },
        ]
      : [],
    cwd: isSandboxed ? "/tmp" : dirname(bundle),
    isNetworked: false,
    sandbox: isSandboxed ? "required" : "none",
    limits: { ...JOB_LIMITS, memoryMb: COMPILER_MB, processesMax: PROCESSES_MAX, tmpBytesMax: 1024 * 1024 },
    clock: cellClock, // A process of this machine has this machine's time.
  };
}

/** The program that esbuild's package for this platform brings along; the same as esbuild itself would find. */
function esbuildFile(): string {
  const given = process.env["ESBUILD_BINARY_PATH"];
  if (given !== undefined) return realpathSync(given);
  const { platform, arch } = process;
  const ours = createRequire(import.meta.url).resolve("esbuild");
  const file = platform === "win32" ? "esbuild.exe" : "bin/esbuild";
  return realpathSync(createRequire(ours).resolve(`@esbuild/${platform}-${arch}/${file}`));
}
