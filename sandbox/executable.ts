/** Finding and trying programs of the operating system, without a shell. */
import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Where system programs lie when PATH does not say so. */
const SYSTEM_FOLDERS = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin"];
/** Every program tried here answers in milliseconds; a loaded machine gets a lot more. */
const TRY_MS_MAX = 10_000;

/** What a program printed, and whether it ended well. */
export interface Attempt {
  readonly isOk: boolean;
  readonly stdout: string;
  /** Why it did not end well, in one line. */
  readonly detail: string;
}

/** The full path of a program, or undefined where it is not installed. */
export function findExecutable(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...SYSTEM_FOLDERS];
  return folders
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

/**
 * Runs a program to its end and says how it went. Rejects where the system has no room for it now, which says nothing of the
 * program.
 */
export function tryExecutable(file: string, args: readonly string[]): Promise<Attempt> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { timeout: TRY_MS_MAX, encoding: "utf8" }, (error, stdout, stderr) => {
      if (error !== null && isPassing(error)) return reject(error);
      const detail = error === null ? "" : (stderr.trim() || error.message).split("\n", 1)[0];
      resolve({ isOk: error === null, stdout, detail: detail ?? "" });
    });
  });
}

/** Whether an error says that the system has no room for another process or descriptor now. */
export function isPassing(error: unknown): boolean {
  return error instanceof Error && "code" in error && PASSING.has(String(error.code));
}

const PASSING: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "EAGAIN", "ENOMEM"]);

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // Not there or not ours to run: the answer, not a failure.
  }
}
