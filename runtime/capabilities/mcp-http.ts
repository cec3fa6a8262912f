/**
 * A server over HTTP: the package's transport, with the egress for its `fetch`, so that each request passes the checks of
 * addresses and redirects, and a secret is added where it goes.
 */
import type { Clock } from "../../vault/index.ts";
import { RuntimeError } from "../errors.ts";
import type { Egress, EgressLeave } from "./egress.ts";
import type { McpFetch, McpPackage, McpTransport } from "./mcp-package.ts";

/** What the way to a URL needs. */
export interface HttpOptions {
  readonly url: URL;
  readonly egress: Egress;
  readonly clock: Clock;
  readonly leave: Omit<EgressLeave, "signal">;
}

/** How long a server is waited for that is told of the end of its session. */
const GOODBYE_MS = 1_000;
/** No stream is taken up again: a request that broke off is told as such. */
const NO_RECONNECTION = {
  maxRetries: 0,
  initialReconnectionDelay: 0,
  maxReconnectionDelay: 0,
  reconnectionDelayGrowFactor: 1,
};

/** A way to a URL. Closing it ends the server's session, if the server wants to hear of it, and all connections. */
export function httpWay({ StreamableHTTPClientTransport: Package }: McpPackage, options: HttpOptions): McpTransport {
  const transport = new Package(options.url, {
    fetch: egressFetch(options),
    reconnectionOptions: NO_RECONNECTION,
  });
  const close = transport.close.bind(transport);
  transport.close = async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = options.clock.after(GOODBYE_MS, resolve);
    // A server that cannot be told forgets by itself.
    const told = transport.terminateSession().catch(() => undefined);
    await Promise.race([told, promise]);
    timer.cancel();
    await close();
  };
  return transport;
}

/** `fetch` through the egress, for what the package asks. */
function egressFetch({ egress, leave }: HttpOptions): McpFetch {
  return async (input, init = {}) => {
    // The stream of what a server says unasked: nobody would listen.
    if (init.method === "GET") return new Response(null, { status: 405 });
    const { method = "POST", body, signal } = init;
    if (body !== undefined && body !== null && typeof body !== "string") {
      throw new RuntimeError("RUNTIME_CAPABILITY_FAILED", "a message is a text");
    }
    const answer = await egress.open(
      {
        url: new URL(input),
        method,
        headers: new Map(new Headers(init.headers)),
        body: typeof body === "string" ? Buffer.from(body) : undefined,
        redirect: "manual",
      },
      { ...leave, signal: signal ?? new AbortController().signal },
    );
    const { status, headers } = answer;
    if (BODILESS.has(status)) {
      await answer.close();
      return new Response(null, { status, headers });
    }
    return new Response(ReadableStream.from(answer.body), { status, headers });
  };
}

/** Those that a `Response` takes no body with. */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);
