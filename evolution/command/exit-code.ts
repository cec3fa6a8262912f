/**
 * What the `planaria` command tells the shell. Scripts branch on these, so they are public API; 78 is EX_CONFIG of
 * sysexits.h, 2 is what shells use for wrong usage.
 */

/** Exit codes: done, a failed verdict or check, wrong usage, an environment that cannot run Planaria. */
export const exitCode = { ok: 0, failed: 1, usage: 2, environment: 78 } as const;
