/** One strict parse for everything that comes in as options: what is wrong is told with its path, and all of it at once. */
import { z } from "zod";
import { RuntimeError } from "./errors.ts";

/** A whole number from 1 to `max`. */
export const count = (max: number): z.ZodNumber => z.number().int().min(1).max(max);

/** What a schema makes of an input. Throws RUNTIME_OPTIONS_INVALID with every issue and its path. */
export function parse<T>(schema: z.ZodType<T>, input: unknown, where: string): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const issues = result.error.issues.map((issue) => ({
    path: issue.path.join("."),
    message: issue.message,
    ...(issue.code === "unrecognized_keys" ? { keys: issue.keys } : {}),
  }));
  throw invalid(where, issues);
}

/** The error of options that contradict one another or the machine. */
export function invalid(
  where: string,
  issues: readonly { readonly path: string; readonly message: string }[],
): RuntimeError {
  const lines = issues.map((issue) => (issue.path === "" ? issue.message : `${issue.path}: ${issue.message}`));
  return new RuntimeError("RUNTIME_OPTIONS_INVALID", `${where}: ${lines.join("; ")}`, { details: { issues } });
}
