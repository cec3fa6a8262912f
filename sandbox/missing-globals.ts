/**
 * Globals that agents do not have, on purpose, and what there is instead: said in the error of whoever uses one.
 *
 * `typeof setTimeout` stays "undefined" inside an agent: libraries look and do without. A function that only throws would make
 * them believe in timers, and fail later. So the error is the language's own, and gets its advice on its way out. Pure.
 */

import type { GuestFault } from "./protocol.ts";

const TIMERS =
  "an agent has no timers of its own, because they would not survive its turn: use ctx.after(ms, method, argument), which is durable, or ctx.step with backoffMs between tries";
const NETWORK = "an agent has no network of its own: grant the capability `fetch` and use ctx.host.fetch";
const PROCESS =
  "an agent has no process, arguments or environment: give it what it must know as its text or as an argument";
const MODULES = 'modules are bundled when the agent is compiled: write import … from "…" at the top of the file';
const PAGE = "an agent has no page: globalThis is its global object";
const STORE = "what must last stands in ctx.state or ctx.table(name)";
const SHARED = "it is not available inside an agent; agents share nothing but messages";
const BYTES =
  "an agent has no streams or files of the web: use Uint8Array or a text, and ctx.host.files or ctx.host.fetch for what lies outside";
const SUBTLE =
  "if this was crypto.subtle, it is not available inside an agent: import an npm package in pure JavaScript, such as @noble/hashes or @noble/ciphers";
const MEMORY = "it is not available inside an agent, whose code runs only in turns";

const ADVICE: ReadonlyMap<string, string> = new Map([
  ...["setTimeout", "setInterval", "setImmediate", "clearTimeout", "clearInterval", "clearImmediate"].map(
    (name) => [name, TIMERS] as const,
  ),
  ...["requestAnimationFrame", "requestIdleCallback", "scheduler"].map((name) => [name, TIMERS] as const),
  ...["fetch", "XMLHttpRequest", "WebSocket", "EventSource", "Request", "Response", "Headers"].map(
    (name) => [name, NETWORK] as const,
  ),
  ...["process", "Deno", "Bun"].map((name) => [name, PROCESS] as const),
  ...["require", "module", "exports", "__dirname", "__filename", "importScripts"].map(
    (name) => [name, MODULES] as const,
  ),
  ...["window", "document", "self", "navigator", "location"].map((name) => [name, PAGE] as const),
  ...["localStorage", "sessionStorage", "indexedDB", "caches"].map((name) => [name, STORE] as const),
  ...["SharedArrayBuffer", "Atomics", "BroadcastChannel"].map((name) => [name, SHARED] as const),
  ...["WeakRef", "FinalizationRegistry"].map((name) => [name, MEMORY] as const),
  ...["Blob", "File", "FileReader", "FormData", "ReadableStream", "WritableStream", "TransformStream"].map(
    (name) => [name, BYTES] as const,
  ),
  ...["CompressionStream", "DecompressionStream"].map((name) => [name, BYTES] as const),
  ...["SubtleCrypto", "CryptoKey"].map((name) => [name, SUBTLE] as const),
  ["Worker", "an agent is one isolate: start others with ctx.spawn"],
  ["MessageChannel", "an agent is one isolate: talk to others with ctx.call and ctx.cast"],
  ["Buffer", "use Uint8Array with TextEncoder, TextDecoder, atob and btoa, or import the npm package buffer"],
  ["WebAssembly", "it is not available inside an agent: grant the capability `exec` for other programs"],
  ["Temporal", "its clocks are not available inside an agent: use Date, or an npm package such as date-fns"],
]);

/** What there is instead of a global that agents do not have; undefined for any other name. */
export function adviceOn(name: string): string | undefined {
  return ADVICE.get(name);
}

/** The fault with advice, where a global is missed that agents do not have; any other as it is. */
export function adviseOnGlobals(fault: GuestFault): GuestFault {
  const advice =
    SUBTLE_READ.test(fault.message) && fault.name === "TypeError" ? SUBTLE : ADVICE.get(missedBy(fault) ?? "");
  if (advice === undefined) return fault;
  const message = `${fault.message}: ${advice}`;
  const first = `${fault.name}: ${fault.message}`;
  const stack = fault.stack.startsWith(first)
    ? `${fault.name}: ${message}${fault.stack.slice(first.length)}`
    : fault.stack;
  return { ...fault, message, stack };
}

/** What is read of `crypto.subtle` where there is none, as V8 says it; words that hardly anything else has. */
const SUBTLE_READ =
  /^Cannot read properties of undefined \(reading '(?:digest|importKey|exportKey|generateKey|deriveBits|deriveKey|wrapKey|unwrapKey)'\)$/;

/** V8's words; `x.setTimeout is not a function` where x is the global object. */
function missedBy({ name, message }: GuestFault): string | undefined {
  if (name === "ReferenceError") return /^(\w{1,40}) is not defined$/.exec(message)?.[1];
  if (name !== "TypeError") return undefined;
  return /^(?:globalThis|global|self|window|this)\.(\w{1,40}) is not a (?:function|constructor)$/.exec(message)?.[1];
}
