/** All subjects by name, and how many faults of each the long form tries when it is given no time. */
import { damage } from "./damage.ts";
import { errors } from "./errors.ts";
import { kill } from "./kill.ts";
import { power } from "./power.ts";
import { promotion } from "./promotion.ts";
import { publish } from "./publish.ts";
import { steps } from "./steps.ts";
import { stopped } from "./stopped.ts";
import type { Subject } from "./subject.ts";

/** In the order in which they run. */
export const subjects: Readonly<Record<string, { readonly run: Subject; readonly faults: number }>> = {
  kill: { run: kill, faults: 10_000 },
  damage: { run: damage, faults: 10_000 },
  errors: { run: errors, faults: 5000 },
  steps: { run: steps, faults: 20_000 },
  stopped: { run: stopped, faults: 1000 },
  publish: { run: publish, faults: 1000 },
  promotion: { run: promotion, faults: 1000 },
  power: { run: power, faults: 100_000 },
};
