/**
 * Which Node this runs on: isolated-vm 7 decides.
 */
import { RuntimeError } from "./errors.ts";

/** Oldest major version of Node whose isolated-vm we support. */
const NODE_MAJOR_MIN = 24;

/** Throws RUNTIME_NODE_UNSUPPORTED for a Node that isolated-vm 7 does not support. */
export function requireNode(version: string): void {
  if (Number.parseInt(version, 10) >= NODE_MAJOR_MIN) return;
  throw new RuntimeError(
    "RUNTIME_NODE_UNSUPPORTED",
    `Planaria needs Node ${NODE_MAJOR_MIN} or newer, this is ${version}; \`npm install node@26\` in your project brings one`,
    { details: { version } },
  );
}
