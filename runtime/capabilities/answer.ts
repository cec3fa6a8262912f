/** What a verb answered, as the guest gets it: a value as text, or an iterator of parts. */
import { encode, SandboxError } from "../../sandbox/index.ts";
import { RuntimeError } from "../errors.ts";

/** The iterator of an answer in parts; undefined for a value. Throws what looking at the answer throws. */
export function iteratorOf(answer: unknown): AsyncIterator<unknown> | undefined {
  if (typeof answer !== "object" || answer === null || !(Symbol.asyncIterator in answer)) return undefined;
  const iterate: unknown = answer[Symbol.asyncIterator];
  if (typeof iterate !== "function") return undefined;
  return (answer as AsyncIterable<unknown>)[Symbol.asyncIterator](); // it is a function, as just checked
}

/** The answer as text. Throws RUNTIME_CAPABILITY_TOO_LARGE, and RUNTIME_CAPABILITY_FAILED for what is no data. */
export function encodedAnswer(
  answer: unknown,
  { what, bytesMax }: { readonly what: string; readonly bytesMax: number },
): string {
  try {
    return encode(answer, { bytesMax, root: "answer" });
  } catch (cause) {
    const isTooLarge = cause instanceof SandboxError && cause.code === "SANDBOX_MESSAGE_TOO_LARGE";
    if (isTooLarge)
      throw new RuntimeError(
        "RUNTIME_CAPABILITY_TOO_LARGE",
        `${what}: the answer is longer than ${bytesMax} bytes (quota.answerBytesMax)`,
      );
    const why = cause instanceof SandboxError ? cause.message : "it cannot be read";
    throw new RuntimeError("RUNTIME_CAPABILITY_FAILED", `${what}: the answer is no data: ${why}`);
  }
}
