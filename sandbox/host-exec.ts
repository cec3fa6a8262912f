/** `ctx.host.exec` as an agent's code sees it. Types only: what it does is `runtime/capabilities/exec.ts`. */

/** What a run is given beside the program's name. */
export interface ExecAsked {
  /** What stands in the holes of the program's arguments, by name. */
  readonly args?: Readonly<Record<string, string | number | readonly (string | number)[]>> | undefined;
  /** What it reads: a text or bytes; where the grant says `input: "json-lines"`, a list of values. */
  readonly input?: string | Uint8Array | readonly unknown[] | undefined;
}

/** How a run ended. A code other than 0 is an answer, not an error. */
export interface ExecResult<Output = string> {
  /** In the sandbox a program that was ended by signal N has 128 + N. */
  readonly code: number | null;
  /** Only without a sandbox: the signal that ended it. */
  readonly signal: string | null;
  /** Text; where the grant's `output` says so: bytes, a value, or a list of values. */
  readonly stdout: Output;
  /** The last 16 KiB of it. */
  readonly stderr: string;
  /** It wrote more than is here. */
  readonly isTruncated: boolean;
  readonly ms: number;
}

/**
 * Programs that the grant names. Rejects as `ctx.host` says; `_TIMEOUT` also when the program was ended for its own time limit,
 * `_FAILED` when it wanted more memory or processes than it may, `_UNAVAILABLE` when it cannot be started.
 */
export interface ExecHost {
  /** One run, to its end. */
  <Output = string>(program: string, asked?: ExecAsked): Promise<ExecResult<Output>>;
  /** One run, line by line; ends with `_FAILED` where the code is not 0. Leaving the loop ends the program. */
  stream<Line = string>(program: string, asked?: ExecAsked): AsyncIterable<Line>;
  /**
   * One line of JSON to a program that lives as long as the agent, and one back. One that hangs or crashes is ended (`_TIMEOUT`,
   * `_FAILED` with its last words), and the next question starts another; failing too often it rests (`_UNAVAILABLE`).
   */
  ask<Answer = unknown>(program: string, value: unknown): Promise<Answer>;
}
