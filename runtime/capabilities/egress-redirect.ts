/** Where a redirect leads: the Fetch standard's rules (HTTP-redirect fetch) as one pure function. */
import { withoutBody, withoutCredentials, type HeaderList } from "./egress-headers.ts";

/** One request on its way: the first, or the one that a redirect made of it. */
export interface Hop {
  readonly url: URL;
  /** In capitals. */
  readonly method: string;
  /** The agent's own; what the grant adds is added per hop. */
  readonly headers: HeaderList;
  readonly body: Uint8Array | undefined;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * The next request, undefined when this answer is the last. A Location that is no URL ends the way too: the answer is given
 * as it is. Whether the next URL is allowed is not decided here.
 */
export function nextHop(hop: Hop, status: number, location: string | undefined): Hop | undefined {
  if (!REDIRECTS.has(status) || location === undefined) return undefined;
  const url = URL.parse(location, hop.url);
  if (url === null) return undefined;
  url.hash = "";
  const becomesGet =
    (status === 303 && hop.method !== "GET" && hop.method !== "HEAD") ||
    ((status === 301 || status === 302) && hop.method === "POST");
  const headers = url.origin === hop.url.origin ? hop.headers : withoutCredentials(hop.headers);
  if (!becomesGet) return { ...hop, url, headers };
  return { url, method: "GET", headers: withoutBody(headers), body: undefined };
}
