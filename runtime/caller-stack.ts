/**
 * Whose call it was: an error that comes back from an agent was made far from the line that called it. V8 knows the functions
 * that wait (https://v8.dev/blog/fast-async), so the caller's lines are added where the error passes, at no cost to calls
 * that succeed.
 */

const OWN_FOLDER = import.meta.dirname;

/** Adds the lines of those who await this very function's caller to `error.stack`, and returns the error. */
export function withCaller(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const here: { stack?: string } = {};
  Error.captureStackTrace(here);
  const callers = (here.stack ?? "")
    .split("\n")
    .filter((line) => line.includes("at async ") && !line.includes(OWN_FOLDER));
  if (callers.length > 0) error.stack = `${error.stack ?? String(error)}\n${callers.join("\n")}`;
  return error;
}
