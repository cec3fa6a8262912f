/** What tests of refusals on the evolution floor ask. */
import { EvolutionError } from "../../evolution/errors.ts";
import type { EvolutionErrorCode } from "../../evolution/errors.ts";

/** For assert.throws and assert.rejects: an EvolutionError with this code. */
export function code(expected: EvolutionErrorCode): (error: unknown) => boolean {
  return (error) => {
    if (error instanceof EvolutionError && error.code === expected) return true;
    throw new Error(`expected ${expected}`, { cause: error });
  };
}
