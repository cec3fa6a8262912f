/**
 * The way out: every HTTP request that leaves for an agent passes here, hop by hop.
 *
 *     url -> allow-list -> method -> addresses (all of them public) -> connection to one of those -> answer
 *      ^                                                                                              |
 *      +------------------------------- redirect, at most redirectsMax ------------------------------+
 *
 * Invariants
 * 1. Each hop passes every check; nothing is remembered from the one before.
 * 2. A name is looked up once, and one bad address among its addresses refuses it: the connection has nothing to look up.
 * 3. A secret is read when it is sent, goes to its origin alone, and is taken out of what comes back.
 * 4. When the body has been read or left, or the signal aborts, no socket is left.
 * 5. An allowed origin is a way to carry data out: how much went where is noted for each hop, however it ended.
 */
import type { SecureContextOptions } from "node:tls";
import { RuntimeError } from "../errors.ts";
import { isLocalName, isPublicAddress, literalAddress } from "./egress-addresses.ts";
import { allowedBy, type AllowedUrls } from "./egress-allow.ts";
import { ACCEPT_ENCODING, readBody } from "./egress-body.ts";
import { exchange, type Exchange, type Volume } from "./egress-exchange.ts";
import { egressError } from "./egress-failure.ts";
import { answerHeaders, headerFault, type HeaderList } from "./egress-headers.ts";
import { nextHop, type Hop } from "./egress-redirect.ts";
import { nameResolver, type Resolve } from "./egress-resolver.ts";
import { Scrubber } from "./egress-scrub.ts";

/** A header whose value is a variable of the Guardian's environment, for one origin. */
export interface SecretHeader {
  /** In small letters. */
  readonly name: string;
  /** As `URL.origin` spells it. */
  readonly origin: string;
  /** The variable's name. */
  readonly env: string;
  /** Stands before the value: "Bearer ". */
  readonly prefix: string;
}

/** What a grant lets out. */
export interface EgressPolicy {
  readonly allow: readonly AllowedUrls[];
  /** In capitals. */
  readonly methods: ReadonlySet<string>;
  /** Sent with every hop. */
  readonly headers: HeaderList;
  readonly secretHeaders: readonly SecretHeader[];
  /** Whether entries of `allow` that name an address, localhost or a name of one word are let through to private addresses. */
  readonly privateAddresses: boolean;
  /** Bytes of a body that is sent, of one that is read (packed, and again unpacked), and redirects that are followed. */
  readonly requestBytesMax: number;
  readonly responseBytesMax: number;
  readonly redirectsMax: number;
}

/** What is asked for. The headers are checked (`agentHeaders`). */
export interface EgressRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: HeaderList;
  readonly body?: Uint8Array | undefined;
  /** `manual`: the answer that redirects is the answer. */
  readonly redirect?: "follow" | "manual" | undefined;
}

/** Whose request it is. */
export interface EgressLeave {
  readonly policy: EgressPolicy;
  readonly signal: AbortSignal;
  /** The value of a variable; throws RUNTIME_CAPABILITY_UNAVAILABLE. */
  readonly secret: (variable: string) => string;
  /** For the operator: what went where, and what an agent must not learn. May be called when the request is over. */
  readonly note: (text: string) => void;
}

/** The head of an answer, and its body to be read. */
export interface EgressAnswer {
  readonly status: number;
  readonly statusText: string;
  /** Where the last redirect led. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Unpacked chunks, read once. The connection ends with the loop. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Leaves the body unread. */
  close(): Promise<void>;
}

/** What tests and operators may hand in. */
export interface EgressOptions {
  readonly resolve?: Resolve;
  /** Certificates that are trusted. */
  readonly tls?: SecureContextOptions;
}

/** For the head, and what stands around the chunks of a short body. */
const FRAMING_BYTES = 256 << 10;
const STATUS_TEXT_MAX = 128;
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

/** Lets requests out. It keeps nothing between them. */
export class Egress {
  readonly #resolve: Resolve;
  readonly #tls: SecureContextOptions | undefined;

  constructor({ resolve = nameResolver(), tls }: EgressOptions = {}) {
    this.#resolve = resolve;
    this.#tls = tls;
  }

  /**
   * Sends a request and resolves with the head of its last answer. Read the body or close the answer.
   * @throws {RuntimeError} RUNTIME_CAPABILITY_DENIED (with `details.rule`), _TOO_LARGE, _UNAVAILABLE (no name, no connection,
   *   a connection that was cut), _FAILED (an answer that is none), _ABORTED; what the signal's reason is, where that is one.
   */
  async open(request: EgressRequest, leave: EgressLeave): Promise<EgressAnswer> {
    const { policy } = leave;
    const sent = new Set<string>();
    let hop: Hop = { ...request, body: request.body };
    for (let redirects = 0; ; redirects++) {
      const got = await this.#hop(hop, leave, sent);
      const location = headerOf(got.rawHeaders, "location");
      const next = request.redirect === "manual" ? undefined : nextHop(hop, got.status, location);
      if (next === undefined) return await shown(got, hop, { leave, scrubber: new Scrubber([...sent]) });
      await got.close();
      if (redirects >= policy.redirectsMax) {
        throw denied("redirects", `More than ${policy.redirectsMax} redirects, the last from ${hop.url.origin}.`);
      }
      hop = next;
    }
  }

  async #hop(hop: Hop, leave: EgressLeave, sent: Set<string>): Promise<Exchange> {
    const { policy, signal } = leave;
    const entry = allowedBy(hop.url, policy.allow);
    if (typeof entry === "string") throw denied("allow", `Refused: ${entry}.`);
    if (!policy.methods.has(hop.method)) throw denied("methods", `The grant does not name the method ${hop.method}.`);
    if ((hop.body?.byteLength ?? 0) > policy.requestBytesMax) {
      throw new RuntimeError("RUNTIME_CAPABILITY_TOO_LARGE", `A body has at most ${policy.requestBytesMax} bytes.`);
    }
    const check = addressCheck(hop.url, { entry, leave });
    try {
      const addresses = await this.#addresses(hop.url, leave);
      addresses.forEach(check);
      const headers = hopHeaders(hop, leave, sent);
      const wireBytesMax = 2 * policy.responseBytesMax + FRAMING_BYTES;
      const over = (volume: Volume): void => leave.note(volumeText(hop, volume));
      return await exchange({ ...hop, headers }, { addresses, check, signal, wireBytesMax, tls: this.#tls, over });
    } catch (error) {
      throw egressError(error, hop.url, signal);
    }
  }

  async #addresses({ hostname }: URL, { signal }: EgressLeave): Promise<readonly string[]> {
    const literal = literalAddress(hostname);
    const addresses = literal === undefined ? await this.#resolve(hostname, signal) : [literal];
    if (addresses.length > 0) return addresses;
    throw new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", `No address was found for ${hostname}.`);
  }
}

/** Throws for an address that this grant must not reach. The agent is not told the address, the operator is. */
function addressCheck(
  url: URL,
  of: { readonly entry: AllowedUrls; readonly leave: EgressLeave },
): (to: string) => void {
  const { entry, leave } = of;
  const mayBePrivate = leave.policy.privateAddresses && !entry.isWildcard && isLocalName(url.hostname);
  return (address) => {
    if (mayBePrivate || isPublicAddress(address)) return;
    leave.note(`${url.hostname} has the address ${address}, which is not public: refused`);
    throw denied("addresses", `${url.hostname} has an address that is not public.`);
  };
}

function hopHeaders(hop: Hop, { policy, secret }: EgressLeave, sent: Set<string>): HeaderList {
  const headers = new Map([["accept", "*/*"], ["user-agent", "planaria"], ...hop.headers, ...policy.headers]);
  headers.set("accept-encoding", ACCEPT_ENCODING);
  for (const { name, origin, env, prefix } of policy.secretHeaders) {
    if (origin !== hop.url.origin) continue;
    const value = secret(env);
    if (value === "" || headerFault(name, prefix + value) !== undefined) {
      const message = `The variable ${env} is empty, or holds what no header can: a line break, or a blank at its end.`;
      throw new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", message);
    }
    sent.add(value);
    headers.set(name, prefix + value);
  }
  return headers;
}

/** The answer; where its head is refused, its connection ends here, for nobody else will hold it. */
async function shown(...[got, hop, of]: Parameters<typeof answerOf>): Promise<EgressAnswer> {
  try {
    return answerOf(got, hop, of);
  } catch (error) {
    await got.close();
    throw error;
  }
}

function answerOf(
  got: Exchange,
  hop: Hop,
  { leave, scrubber }: { readonly leave: EgressLeave; readonly scrubber: Scrubber },
): EgressAnswer {
  const raw = got.rawHeaders.map((text) => scrubber.text(text));
  const isEmpty = hop.method === "HEAD" || BODILESS.has(got.status);
  const encoding = isEmpty ? undefined : headerOf(raw, "content-encoding");
  const limits = { bytesMax: leave.policy.responseBytesMax, encoding, scrubber };
  return {
    status: got.status,
    statusText: scrubber.text(got.statusText).slice(0, STATUS_TEXT_MAX),
    url: scrubber.text(hop.url.href),
    headers: answerHeaders(raw),
    body: bodyOf(got, hop.url, { limits, signal: leave.signal }),
    close: () => got.close(),
  };
}

async function* bodyOf(
  got: Exchange,
  url: URL,
  { limits, signal }: { readonly limits: Parameters<typeof readBody>[1]; readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* readBody(got.body, limits);
  } catch (error) {
    throw egressError(error, url, signal);
  } finally {
    await got.close();
  }
}

function volumeText({ method, url }: Hop, { status, sent, received }: Volume): string {
  return `${method} ${url.origin}: ${status ?? "no answer"}, ${sent} bytes sent, ${received} received`;
}

function headerOf(raw: readonly string[], name: string): string | undefined {
  const index = raw.findIndex((text, at) => at % 2 === 0 && text.toLowerCase() === name);
  return index < 0 ? undefined : raw[index + 1];
}

function denied(rule: string, message: string): RuntimeError {
  return new RuntimeError("RUNTIME_CAPABILITY_DENIED", message, { details: { rule } });
}
