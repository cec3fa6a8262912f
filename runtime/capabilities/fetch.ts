/**
 * The capability `fetch`: HTTP to the origins of an allow-list.
 *
 *     await ctx.host.fetch("https://api.example.com/v1/x", { as: "json" })
 *     for await (const part of ctx.host.fetch.stream("https://api.example.com/v1/log")) …
 *
 * The checks are the egress's; here are the words of an agent and how an answer is handed over.
 */
import type { FetchHead, FetchInit } from "../../sandbox/index.ts";
import { RuntimeError } from "../errors.ts";
import type { Capability, CapabilityCall } from "./contract.ts";
import { defineCapability } from "./define.ts";
import {
  Egress,
  type EgressAnswer,
  type EgressLeave,
  type EgressOptions,
  type EgressPolicy,
  type EgressRequest,
} from "./egress.ts";
import { agentHeaders, sameHeader } from "./egress-headers.ts";
import { fetchArgs, fetchGrant, type FetchArgs } from "./fetch-grant.ts";

type Call = CapabilityCall<EgressPolicy>;

const METHOD = /^[A-Z]+$/;
/** Bytes of one part of a stream at most. */
const PART_BYTES_MAX = 64 << 10;
/** An answer's bytes are text in base64 on their way: four letters for three, and some room for what stands around them. */
const BASE64_SHARE = 0.7;

/** The capability, over an egress of its own. */
export function fetchCapability(options: EgressOptions = {}): Capability {
  const egress = new Egress(options);
  return defineCapability<EgressPolicy, { call: FetchArgs; stream: FetchArgs }>({
    name: "fetch",
    grant: fetchGrant,
    verbs: {
      call: { args: fetchArgs, run: (call, url, init) => fetchWhole(egress, call, { url, init }) },
      stream: {
        args: fetchArgs,
        timeoutMs: 300_000, // a stream is read at the agent's pace
        run: (call, url, init) => fetchParts(egress, call, { url, init }),
      },
    },
  });
}

interface Asked {
  readonly url: string;
  readonly init?: FetchInit | undefined;
}

async function fetchWhole(egress: Egress, call: Call, asked: Asked): Promise<unknown> {
  const as = asked.init?.as ?? "text";
  const bytesMax = Math.floor(call.answerBytesMax * (as === "bytes" ? BASE64_SHARE : 1));
  const policy = { ...call.grant, responseBytesMax: Math.min(call.grant.responseBytesMax, bytesMax) };
  const answer = await egress.open(requestOf(call, asked), leaveOf(call, policy));
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  if (as === "bytes") return { ...headOf(answer), bytes: new Uint8Array(body) };
  const text = decoderOf(answer).decode(body);
  return as === "text" ? { ...headOf(answer), text } : { ...headOf(answer), json: parsed(text, answer) };
}

/** First `{ head }`, then the body as `{ text }` or `{ bytes }`. */
async function* fetchParts(egress: Egress, call: Call, asked: Asked): AsyncGenerator<unknown, void, void> {
  const as = asked.init?.as ?? "text";
  if (as === "json") {
    throw new RuntimeError("RUNTIME_CAPABILITY_INVALID", "fetch.stream: as: a stream is text or bytes.");
  }
  const answer = await egress.open(requestOf(call, asked), leaveOf(call, call.grant));
  try {
    yield { head: headOf(answer) };
    const decoder = decoderOf(answer);
    for await (const chunk of answer.body) {
      for (const part of pieces(chunk, partBytesMax(call))) {
        const text = as === "text" ? decoder.decode(part, { stream: true }) : "";
        if (as === "bytes") yield { bytes: new Uint8Array(part) };
        else if (text !== "") yield { text };
      }
    }
    const rest = decoder.decode();
    if (as === "text" && rest !== "") yield { text: rest };
  } finally {
    await answer.close();
  }
}

function leaveOf(call: Call, policy: EgressPolicy): EgressLeave {
  return {
    policy,
    signal: call.signal,
    secret: (variable) => call.secret(variable),
    note: (text) => call.note(text),
  };
}

function requestOf({ grant, idempotencyKey }: Call, { url: text, init = {} }: Asked): EgressRequest {
  const url = URL.parse(text);
  if (url === null) throw new RuntimeError("RUNTIME_CAPABILITY_INVALID", "fetch: url: it is no absolute URL.");
  url.hash = "";
  const method = (init.method ?? "GET").toUpperCase();
  if (!METHOD.test(method)) throw new RuntimeError("RUNTIME_CAPABILITY_INVALID", "fetch: method: it is none.");
  const taken = new Set([...grant.headers.keys(), ...grant.secretHeaders.map(({ name }) => name)]);
  const headers = new Map(agentHeaders(init.headers ?? {}, taken));
  const has = new Set([...taken, ...headers.keys()].map(sameHeader));
  const body = bodyOf(init);
  if (body !== undefined && (method === "GET" || method === "HEAD")) {
    throw new RuntimeError("RUNTIME_CAPABILITY_INVALID", `fetch: body: ${method} has none.`);
  }
  if (body !== undefined && !has.has("content-type")) headers.set("content-type", contentType(init));
  // A service that knows the header does a repeated effect once (draft-ietf-httpapi-idempotency-key-header).
  if ((method === "POST" || method === "PATCH") && !has.has("idempotency-key")) {
    headers.set("idempotency-key", idempotencyKey);
  }
  return { url, method, headers, body, redirect: init.redirect };
}

function bodyOf({ body, json }: FetchInit): Uint8Array | undefined {
  if (json === undefined) return typeof body === "string" ? Buffer.from(body) : body;
  try {
    return Buffer.from(JSON.stringify(json));
  } catch {
    throw new RuntimeError("RUNTIME_CAPABILITY_INVALID", "fetch: json: JSON cannot say it (a BigInt).");
  }
}

function contentType({ body, json }: FetchInit): string {
  if (json !== undefined) return "application/json";
  return typeof body === "string" ? "text/plain;charset=UTF-8" : "application/octet-stream";
}

function headOf({ status, statusText, url, headers }: EgressAnswer): FetchHead {
  return { status, statusText, url, headers };
}

/** By the charset that the answer names; UTF-8 where it names none or an unknown one. */
function decoderOf({ headers }: EgressAnswer): TextDecoder {
  const [, charset = "utf-8"] = /;\s*charset="?([\w.:-]{1,40})/i.exec(headers["content-type"] ?? "") ?? [];
  try {
    return new TextDecoder(charset);
  } catch {
    return new TextDecoder();
  }
}

function parsed(text: string, { url, status }: EgressAnswer): unknown {
  try {
    // A property "__proto__" is no data, and nothing that an agent could be given. JSON can spell it with escapes.
    if (!text.includes("__proto__") && !text.includes("\\u00")) return JSON.parse(text);
    return JSON.parse(text, (key, value: unknown) => (key === "__proto__" ? undefined : value));
  } catch {
    const message = `The answer of ${new URL(url).origin} (${status}) is no JSON, or nested too deeply.`;
    throw new RuntimeError("RUNTIME_CAPABILITY_FAILED", message, { details: { status } });
  }
}

/** A letter may take six to be written (\u0000), so a part is far below what an answer may have. */
function partBytesMax({ answerBytesMax }: Call): number {
  return Math.max(1, Math.min(PART_BYTES_MAX, Math.floor(answerBytesMax / 8)));
}

function* pieces(chunk: Uint8Array, bytesMax: number): Generator<Uint8Array, void, void> {
  for (let start = 0; start < chunk.byteLength; start += bytesMax) yield chunk.subarray(start, start + bytesMax);
}
