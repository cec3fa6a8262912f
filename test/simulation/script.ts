/**
 * What agents of a simulated world are told to do: each message carries its own orders. Types only, and how an order reads in
 * a trace.
 */

/** One thing that a turn does, in order. */
export type Act =
  /** The handler throws. */
  | readonly ["throw"]
  /** The cell dies with this agent inside the guest. */
  | readonly ["crash"]
  /** The isolate hits a limit. */
  | readonly ["exceed", code: "SANDBOX_HEAP_EXCEEDED" | "SANDBOX_CPU_EXCEEDED"]
  /** The guest does not come back until its wall time is over. */
  | readonly ["hang"]
  | readonly ["call", to: string, order: Order]
  | readonly ["cast", to: string, order: Order]
  | readonly ["publish", topic: string, op: string]
  | readonly ["subscribe", topic: string]
  | readonly ["after", ms: number, op: string]
  | readonly ["step", name: string]
  | readonly ["spawn", id: string, restart: string]
  | readonly ["stop" | "kill", child: string]
  | readonly ["exit", reason: string]
  | readonly ["handover"];

/** The argument of every message: `op` is its name in the ledger, and goes into the state of whoever carries it out. */
export interface Order {
  readonly op: string;
  readonly acts?: readonly Act[] | undefined;
}

/** What `dump` answers: how many orders were carried out, and each with its place among them. */
export interface Dump {
  readonly n: number;
  readonly ops: Readonly<Record<string, number>>;
}

/** The code of every agent; the simulated guest does not run it, the compiler does look at it. */
export const SOURCE = `import { agent } from "planaria/agent";
export default agent({ version: 1, state: () => ({}), on: {} });`;
