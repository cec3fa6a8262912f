/** What to use inside an agent in place of a part of Node, a sentence for each. Pure. */

import { builtinModules, isBuiltin } from "node:module";

const FILES = "Files: grant the capability `files` and use ctx.host.files.";
const NETWORK = "Network: grant the capability `fetch` and use ctx.host.fetch.";
const PROGRAMS = "Other programs: grant the capability `exec` and use ctx.host.exec.";
const CRYPTO =
  "Use the global crypto.getRandomValues and crypto.randomUUID, ctx.random, or an npm package such as @noble/hashes.";
const EVENTS = "Use an npm package such as eventemitter3, or the global EventTarget.";
const TIMERS = "An agent has durable timers: ctx.after(ms, method, argument).";
const THREADS = "An agent is one isolate; start others with ctx.spawn.";
const ASSERT = 'Throw an error of your own: if (!isRight) throw new Error("…").';
const STREAMS = "Use an async generator: for await (const part of …).";
const PATHS = "Use an npm package such as pathe; there are no paths of this machine inside an agent.";
const CONTEXT = "Pass values along as arguments: a turn is one call of one handler.";
const DIAGNOSTICS = "Use console or ctx.log: what an agent logs is an event with its place.";
const EVALUATION = "Code of another agent: ctx.spawn({ id, source }).";
const COMPRESSION = "Use an npm package such as fflate.";
const STORAGE = "What must last: ctx.state and ctx.table(name).";

const ADVICE: ReadonlyMap<string, string> = new Map([
  ["assert", ASSERT],
  ["async_hooks", CONTEXT],
  ["buffer", "Use Uint8Array with TextEncoder, TextDecoder, atob and btoa, or the npm package buffer."],
  ["child_process", PROGRAMS],
  ["cluster", THREADS],
  ["console", "console is a global: remove the import."],
  ["crypto", CRYPTO],
  ["dgram", NETWORK],
  ["diagnostics_channel", DIAGNOSTICS],
  ["dns", NETWORK],
  ["domain", CONTEXT],
  ["events", EVENTS],
  ["fs", FILES],
  ["http", NETWORK],
  ["http2", NETWORK],
  ["https", NETWORK],
  ["inspector", DIAGNOSTICS],
  ["module", "Import what you need at the top of the file; it is bundled."],
  ["net", NETWORK],
  ["os", "An agent does not see the machine; give it what it must know as its text or as an argument."],
  ["path", PATHS],
  ["perf_hooks", "performance.now is a global; in a turn the time stands still, so measure outside of the agent."],
  [
    "process",
    "An agent has no process, arguments or environment; give it what it must know as its text or as an argument.",
  ],
  ["punycode", "Use the npm package punycode (import it as punycode/)."],
  ["querystring", "Use the global URLSearchParams."],
  ["readline", PROGRAMS],
  ["repl", DIAGNOSTICS],
  ["sqlite", STORAGE],
  ["stream", STREAMS],
  ["string_decoder", "Use new TextDecoder() with decode(bytes, { stream: true })."],
  ["test", "Test an agent from outside: Runtime.open and agent.call in a test of Node's."],
  ["timers", TIMERS],
  ["tls", NETWORK],
  ["tty", DIAGNOSTICS],
  ["url", "URL and URLSearchParams are globals: remove the import."],
  ["util", "Use structuredClone, TextEncoder, TextDecoder and console, which are globals, or a small npm package."],
  ["v8", "Use structuredClone; figures of the heap are in agent.info(), outside."],
  ["vm", EVALUATION],
  ["wasi", "WebAssembly is not available inside an agent: grant the capability `exec` and use ctx.host.exec."],
  ["worker_threads", THREADS],
  ["zlib", COMPRESSION],
]);

/** Why a part of Node cannot be imported, and what there is instead. */
export function nodeAdvice(path: string): string {
  const name = path.replace(/^node:/, "").replace(/\/.*$/, "");
  const advice = ADVICE.get(name) ?? "An agent sees the language, the globals of the web that need no power, and ctx.";
  return `"${path}" is part of Node and does not exist inside an agent. ${advice}`;
}

/** Whether a path names a part of Node, with or without `node:`. Also one that this Node does not have: `node:nothing`. */
export function isNodeModule(path: string): boolean {
  return path.startsWith("node:") || isBuiltin(path);
}

/** The parts of Node that have a sentence of their own, and those that this Node has: for the test that none is forgotten. */
export function advisedModules(): { readonly advised: ReadonlySet<string>; readonly present: readonly string[] } {
  const present = builtinModules.map((name) => name.replace(/^node:/, "").replace(/\/.*$/, ""));
  return { advised: new Set(ADVICE.keys()), present: [...new Set(present)].filter((name) => !name.startsWith("_")) };
}
