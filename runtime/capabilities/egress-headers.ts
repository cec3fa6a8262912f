/**
 * Headers: which an agent may send, which go along to a hop, and what it is shown of an answer's.
 *
 * Invariants
 * 1. A header that the grant sets, openly or as a secret, is never the agent's to set.
 * 2. A secret goes to the one origin it is meant for.
 * 3. After a redirect to another origin nothing that may be a credential goes along, and does not come back.
 */
import { RuntimeError } from "../errors.ts";

/** Headers as they are sent: names in small letters. */
export type HeaderList = ReadonlyMap<string, string>;

/** Headers of one request at most, and their bytes. Servers take 100 and 8 to 16 KiB. */
export const HEADERS_MAX = 64;
const HEADER_BYTES_MAX = 16 << 10;
/** Headers of one answer at most. */
const ANSWER_HEADERS_MAX = 256;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** What a value may hold: visible letters, blanks and tabs, and the upper half of Latin-1. */
const VALUE = /^(?:[!-~\u0080-\u00ff](?:[\t -~\u0080-\u00ff]*[!-~\u0080-\u00ff])?)?$/;

/**
 * The connection's own (RFC 9110, 7.6.1), what is worked out here, cookies, and what would turn one method or one URL into
 * another. As `sameHeader` has them.
 */
const FORBIDDEN = words(
  "accept-encoding connection content-length cookie cookie2 expect host http2-settings keep-alive te trailer",
  "transfer-encoding upgrade via x-http-method x-http-method-override x-method-override",
  "x-original-url x-rewrite-url",
);
/** What may follow a redirect to another origin: any other header may be a credential under a name of its own. */
const TRAVELS = words(
  "accept accept-language user-agent range idempotency-key content-encoding content-language content-type",
);
const BODY_HEADERS = words("content-encoding content-language content-location content-type");
/** Cookies of an answer would be credentials of the Guardian's. */
const HIDDEN = words("set-cookie set-cookie2 __proto__");

function words(...lines: readonly string[]): ReadonlySet<string> {
  return new Set(lines.flatMap((line) => line.split(" ")));
}

/** Why this header cannot be sent by anybody; undefined when it can. `name` in small letters. */
export function headerFault(name: string, value: string): string | undefined {
  if (!TOKEN.test(name)) return "is no name of a header";
  return VALUE.test(value) ? undefined : "has a value with control characters, outer blanks, or letters beyond Latin-1";
}

/**
 * What two names have in common that are the same header to some server: CGI and WSGI know no sign but _ (RFC 3875, 4.1.18),
 * so `x_tenant` and `x.tenant` are `x-tenant` to them.
 */
export function sameHeader(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, "-");
}

/** Whether only this program may set it, never a grant or an agent. */
export function isForbiddenHeader(name: string): boolean {
  const same = sameHeader(name);
  return FORBIDDEN.has(same) || same.startsWith("proxy-") || same.startsWith("sec-");
}

/**
 * The agent's headers, checked. `taken`: names that the grant sets.
 * @throws {RuntimeError} RUNTIME_CAPABILITY_INVALID for what is no header, RUNTIME_CAPABILITY_DENIED for what is not the
 *   agent's to set, RUNTIME_CAPABILITY_TOO_LARGE.
 */
export function agentHeaders(given: Readonly<Record<string, string>>, taken: ReadonlySet<string>): HeaderList {
  const headers = new Map<string, string>();
  const granted = new Set([...taken].map(sameHeader));
  const seen = new Set<string>();
  let bytes = 0;
  for (const [spelling, value] of Object.entries(given)) {
    const name = spelling.toLowerCase();
    const same = sameHeader(name);
    const fault = seen.has(same) ? "is given twice" : headerFault(name, value);
    if (fault !== undefined) throw refused("INVALID", `The header ${JSON.stringify(spelling.slice(0, 64))} ${fault}.`);
    if (isForbiddenHeader(name)) throw refused("DENIED", `The header ${name} cannot be set by an agent.`);
    if (granted.has(same)) throw refused("DENIED", `The header ${name} is set by the grant.`);
    bytes += name.length + value.length + 4;
    headers.set(name, value);
    seen.add(same);
  }
  if (headers.size <= HEADERS_MAX && bytes <= HEADER_BYTES_MAX) return headers;
  throw refused("TOO_LARGE", `A request has at most ${HEADERS_MAX} headers of ${HEADER_BYTES_MAX} bytes in all.`);
}

function refused(kind: "INVALID" | "DENIED" | "TOO_LARGE", message: string): RuntimeError {
  return new RuntimeError(`RUNTIME_CAPABILITY_${kind}`, message);
}

/** What is left of the agent's headers when a redirect leads to another origin (Fetch, HTTP-redirect fetch, step 13). */
export function withoutCredentials(headers: HeaderList): HeaderList {
  return new Map([...headers].filter(([name]) => TRAVELS.has(name)));
}

/** What is left when a redirect drops the body. */
export function withoutBody(headers: HeaderList): HeaderList {
  return new Map([...headers].filter(([name]) => !BODY_HEADERS.has(name)));
}

/**
 * An answer's headers from the raw list of names and values: small letters, repeated ones joined with ", ", cookies left out.
 * @throws {RuntimeError} RUNTIME_CAPABILITY_TOO_LARGE for more than 256.
 */
export function answerHeaders(raw: readonly string[]): Readonly<Record<string, string>> {
  const headers = new Map<string, string>();
  if (raw.length / 2 > ANSWER_HEADERS_MAX) {
    throw refused("TOO_LARGE", `The answer has more than ${ANSWER_HEADERS_MAX} headers.`);
  }
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = (raw[index] ?? "").toLowerCase();
    const value = raw[index + 1] ?? "";
    if (HIDDEN.has(name)) continue;
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return Object.fromEntries(headers);
}
