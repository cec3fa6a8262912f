/** Values of programs as text, to compare them by: whatever they are, cycles and all. */
import { encode, SandboxError } from "../../../sandbox/index.ts";

/** Bytes of one value. */
const BYTES_MAX = 4 * 1024 * 1024;

/** Equal for equal values; -0 is not 0, and what nobody can write down is one word. */
export function valueText(value: unknown): string {
  try {
    return encode(value, { bytesMax: BYTES_MAX, root: "value" });
  } catch (error) {
    if (error instanceof SandboxError) return "?";
    throw error;
  }
}
