/**
 * Runs snippets of the corpus against a real runtime through its public API, and says what became of each.
 *
 *     spawn -> add(1) -> attack -> as expected? -> read: 1, as committed before -> drop
 *
 * Invariants
 * 1. An attack ends as the corpus says, or `wrong` says how it ended. Time limits of this file are bounds of the harness, far
 *    beyond every limit under test.
 * 2. What is asked of the agent afterwards is answered with the state that it had before: by the same life, or by the next one.
 * 3. No text that comes back names a folder or a file of this machine.
 */
import { inspect } from "node:util";
import type { AgentRef, Runtime, SpawnOptions } from "../../runtime/index.ts";
import type { Snippet } from "./snippet.ts";

/** Whom the attacks talk to; lives in the same runtime as `witness`. */
export const WITNESS = `
export default {
  version: 1,
  state: () => ({ count: 0, secret: "of the witness" }),
  on: {
    add: (ctx, by) => (ctx.state.count += typeof by === "number" ? by : 0),
    echo: (_ctx, value) => value,
    who: (ctx) => ctx.self.id,
  },
};
`;

/** What became of one snippet. */
export interface Contained {
  readonly name: string;
  /** "contained", or the code of the error. */
  readonly ended: string;
  /** What is not as it must be; undefined where all is well. */
  readonly wrong: string | undefined;
  readonly attackMs: number;
  /** From the end of the attack to the next answer of the same agent. */
  readonly backMs: number;
}

/** How the attacked agents are set up. */
export interface AttackOptions {
  readonly runtime: Runtime;
  readonly profile: "trusted" | "hardened";
  readonly limits?: SpawnOptions["limits"];
}

/** Patience of the harness, in ms: an attack that takes longer was not contained. */
const PATIENCE_MS = 30_000;

/** Whatever names our machine: folders of a host, files of ours, frames of Node. A handler's own file has no folder. */
const HOST_NAMES = /(?:file:\/\/|node:internal|\/node_modules\/|\/(?:home|usr|opt|var|tmp|cell|proc)\/)/;

/** The module of an agent that attacks. */
function sourceOf({ code, place }: Snippet): string {
  const inModule = place === "module";
  return `${inModule ? code : ""}
    const definition = {
      version: 1,
      state: () => ({ count: 0 }),
      on: {
        add: (ctx, by) => (ctx.state.count += by),
        read: (ctx) => ctx.state.count,
        async attack(ctx, arg) { ${inModule ? 'return "contained";' : code} },
      },
    };
    export default globalThis.wrap ? globalThis.wrap(definition) : definition;`;
}

/** Lets one snippet attack from an agent of its own, and looks at what is left. */
export async function runSnippet(snippet: Snippet, { runtime, profile, limits }: AttackOptions): Promise<Contained> {
  const id = `${profile}-${snippet.name.replaceAll(/[^A-Za-z0-9]+/g, "-").slice(0, 90)}`;
  const started = performance.now();
  const spawned = await settled(() =>
    runtime.spawn({ id, source: sourceOf(snippet), profile, ...(limits === undefined ? {} : { limits }) }),
  );
  if (!spawned.ok) {
    return judged(snippet, {
      ended: spawned.code,
      text: spawned.text,
      attackMs: performance.now() - started,
      backMs: 0,
    });
  }
  try {
    return await attacked(snippet, spawned.value);
  } finally {
    await runtime.drop(id);
  }
}

async function attacked(snippet: Snippet, agent: AgentRef): Promise<Contained> {
  const patience = { timeoutMs: PATIENCE_MS };
  const before = await settled(() => agent.call("add", 1, patience));
  if (!before.ok) return judged(snippet, { ended: before.code, text: before.text, attackMs: 0, backMs: 0 });
  const started = performance.now();
  const attack = await settled(() => agent.call("attack", { words: ["a"] }, patience));
  const ended = performance.now();
  const after = await firstAnswer(agent, patience);
  const attackMs = ended - started;
  const backMs = performance.now() - ended;
  const found = { ended: attack.ok ? answered(attack.value) : attack.code, text: attack.text, attackMs, backMs };
  const state = after.ok ? after.value : after.code;
  return judged(snippet, found, state === 1 ? undefined : `afterwards its state reads ${String(state)}`);
}

/** A realm that was broken in earnest costs the next turn as well: its life ends with that, and the one after it is sound. */
async function firstAnswer(agent: AgentRef, patience: { readonly timeoutMs: number }): Promise<Settled<unknown>> {
  const first = await settled(() => agent.call("read", undefined, patience));
  return first.ok || first.code !== "RUNTIME_AGENT_DOWN"
    ? first
    : await settled(() => agent.call("read", undefined, patience));
}

function judged(
  snippet: Snippet,
  found: Omit<Contained, "name" | "wrong"> & { readonly text: string },
  wrongAfter?: string,
): Contained {
  const { text, ...rest } = found;
  const isExpected = found.ended === ANY ? snippet.answer === "any" : isIn(snippet.expect, found.ended);
  const wrongs = [
    ...(isExpected ? [] : [`ended with ${found.ended}, not ${snippet.expect.join(" or ")}: ${text.slice(0, 300)}`]),
    ...(wrongAfter === undefined ? [] : [wrongAfter]),
    // What does not compile is told to the owner of the program, who wants to know in which of the files.
    ...(found.ended !== "SANDBOX_COMPILE_FAILED" && HOST_NAMES.test(text)
      ? [`speaks of our machine: ${text.slice(0, 600)}`]
      : []),
  ];
  return { name: snippet.name, ...rest, wrong: wrongs.length === 0 ? undefined : wrongs.join("; ") };
}

/** Answers that are not the word. */
const ANY = "another answer";

function answered(value: unknown): string {
  return value === "contained" ? value : ANY;
}

function isIn(expected: readonly string[], ended: string): boolean {
  return expected.includes(ended);
}

type Settled<T> =
  | { readonly ok: true; readonly value: T; readonly text: string }
  | { readonly ok: false; readonly code: string; readonly text: string };

/** What came of it: a value, or the code and all the words of an error, as its caller sees them. */
async function settled<T>(work: () => Promise<T>): Promise<Settled<T>> {
  try {
    const value = await work();
    return { ok: true, value, text: inspect(value).slice(0, 2_000) };
  } catch (error) {
    const { code, message, details } = error as { code?: unknown; message?: unknown; details?: unknown }; // any floor's error
    return { ok: false, code: String(code), text: `${String(message)} ${JSON.stringify(details)}` };
  }
}
