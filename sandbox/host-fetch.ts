/** `ctx.host.fetch` as an agent's code sees it. Types only: what it does is `runtime/capabilities/fetch.ts`. */

/** What is asked for beside the URL. */
export interface FetchInit {
  /** Default GET. */
  readonly method?: string | undefined;
  /** Names in any spelling. Not the agent's: `host`, `cookie`, those of the connection, and what its grant sets. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | Uint8Array | undefined;
  /** Sent as JSON, with its content type. */
  readonly json?: unknown;
  /** How the body of the answer is given. Default text, by the charset that the answer names. */
  readonly as?: "text" | "json" | "bytes" | undefined;
  /** Default follow. */
  readonly redirect?: "follow" | "manual" | undefined;
}

/** The head of an answer, whatever its status. */
export interface FetchHead {
  readonly status: number;
  readonly statusText: string;
  /** Where the last redirect led. */
  readonly url: string;
  /** Names in small letters; cookies are left out. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * HTTP to the origins that the grant allows. POST and PATCH carry an `idempotency-key` that is the same when the message is run
 * again. Rejects as `ctx.host` says; `_DENIED` also for a URL, a redirect, a method, a header or an address beyond the grant.
 */
export interface FetchHost {
  (url: string, init: FetchInit & { readonly as: "json" }): Promise<FetchHead & { readonly json: unknown }>;
  (url: string, init: FetchInit & { readonly as: "bytes" }): Promise<FetchHead & { readonly bytes: Uint8Array }>;
  (
    url: string,
    init?: FetchInit & { readonly as?: "text" | undefined },
  ): Promise<FetchHead & { readonly text: string }>;
  /** First `{ head }`, then the body as it comes: `{ text }`, or `{ bytes }` where that is asked. Leaving the loop ends it. */
  stream(
    url: string,
    init: FetchInit & { readonly as: "bytes" },
  ): AsyncIterable<{ readonly head: FetchHead } | { readonly bytes: Uint8Array }>;
  stream(
    url: string,
    init?: FetchInit & { readonly as?: "text" | undefined },
  ): AsyncIterable<{ readonly head: FetchHead } | { readonly text: string }>;
}
