/**
 * `planaria/testing`: a runtime in a folder of its own that is gone when the test is over, and the supervision core
 * without cells. Runner-neutral: it needs only something with `after(fn)`, such as a node:test context.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RuntimeOptions } from "./options.ts";
import { Runtime } from "./runtime.ts";
import type { RuntimeParts } from "./runtime.ts";
export type { Action, Case, Script, Step, Trace, TraceEvent, TreeLine } from "./supervision/simulate/case.ts";
export { simulate } from "./supervision/simulate/simulate.ts";

/** What a test must offer: a place for clean-up. */
export interface TestScope {
  after(cleanUp: () => Promise<void>): void;
}

/**
 * Opens a runtime on a fresh vault in a temporary folder. When the test ends it is closed, its processes are gone and the
 * folder is removed. Durability is `memory` unless asked otherwise, because most tests do not pull the plug, and no warm cell waits
 * for one that is lost (`spares: 0`), because starting it would cost each test a tenth of a second of CPU time.
 */
export async function withRuntime(
  test: TestScope,
  options: Omit<RuntimeOptions, "vault"> & { readonly vault?: string } = {},
  parts: RuntimeParts = {},
): Promise<Runtime> {
  const folder = await mkdtemp(join(tmpdir(), "planaria-test-"));
  const runtime = await Runtime.open(
    { durability: "memory", spares: 0, vault: join(folder, "vault"), ...options },
    parts,
  );
  test.after(async () => {
    await runtime.close();
    await rm(folder, { recursive: true, force: true });
  });
  return runtime;
}
