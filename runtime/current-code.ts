/** What an agent's record says of the code that it runs. */
import { isReserved } from "../sandbox/index.ts";
import type { CurrentCode } from "./agent-record.ts";
import type { Incarnation } from "./incarnation.ts";

/** What the current code is, once a life was loaded. */
export function currentOf(life: Incarnation, originHash: string): CurrentCode {
  const { artifact, profile } = life.options;
  const { version, methods } = life.loaded;
  const hears = methods.map(({ name }) => name).filter((name) => isReserved(name));
  return { hash: artifact.hash, version, originHash, profile, ...(hears.length === 0 ? {} : { hears }) };
}
