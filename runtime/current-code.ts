/** What an agent's record says of the code that it runs. */
import { isReserved } from "../sandbox/index.ts";
import type { CurrentCode } from "./agent-record.ts";
import type { Incarnation } from "./incarnation.ts";

/** The method by which an agent learns what became of code that it proposed. It need not be up to be told. */
export const VERDICT_METHOD = "verdict";

/** What the current code is, once a life was loaded. */
export function currentOf(life: Incarnation, originHash: string): CurrentCode {
  const { artifact, profile } = life.options;
  const { version, methods } = life.loaded;
  const hears = methods.map(({ name }) => name).filter((name) => isReserved(name) || name === VERDICT_METHOD);
  return { hash: artifact.hash, version, originHash, profile, ...(hears.length === 0 ? {} : { hears }) };
}
