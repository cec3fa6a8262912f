/**
 * The allow-list of URLs: what an entry may say, and whether a URL is on it. Only the object that the WHATWG parser made is
 * ever looked at, never the text, so there is no second reading of it.
 *
 *     https://api.example.com          this origin, every path
 *     https://api.example.com/v1/      … and below this path
 *     https://*.example.com:8443       every name below example.com (not itself), at this port
 */
import { isLocalName, isPublicAddress, literalAddress } from "./egress-addresses.ts";

/** One entry of an allow-list, as it was parsed. */
export interface AllowedUrls {
  readonly protocol: string;
  /** The host, or for a wildcard what must follow the first dot. */
  readonly hostname: string;
  readonly isWildcard: boolean;
  /** "" where the protocol's own is meant. */
  readonly port: string;
  /** "/" allows every path. */
  readonly path: string;
}

/** Characters of a URL at most: servers take 8,000 (RFC 9110, 4.1). */
export const URL_LENGTH_MAX = 8_192;
/** Rounds of decoding that are looked at when a path is compared. */
const DECODINGS_MAX = 4;

/** An entry from its text; a sentence about what is wrong with it instead where it is none. */
export function parseAllowed(text: string): AllowedUrls | string {
  const url = URL.parse(text);
  if (url === null) return "it is no URL, such as https://api.example.com/v1/";
  if (url.protocol !== "https:" && url.protocol !== "http:") return "only https: and http: can be granted";
  if (url.username !== "" || url.password !== "") return "it carries a user: name a secret in secretHeaders instead";
  if (text.includes("?") || text.includes("#")) return "it has a query or a fragment: an entry ends with its path";
  if (url.port === "0" || url.hostname.endsWith(".")) return "its port is 0, or its host ends with a dot";
  const isWildcard = url.hostname.startsWith("*.");
  const hostname = isWildcard ? url.hostname.slice(2) : url.hostname;
  if (hostname.includes("*")) return "a * stands for the first label only: https://*.example.com";
  if (isWildcard && !hostname.includes(".")) return "a * above a top-level domain is the whole world";
  return { protocol: url.protocol, hostname, isWildcard, port: url.port, path: url.pathname };
}

/** Whether an entry names what only `privateAddresses: true` can reach: a grant without it would never work. */
export function needsPrivate({ hostname, isWildcard }: AllowedUrls): boolean {
  const address = literalAddress(hostname);
  return address === undefined ? !isWildcard && isLocalName(hostname) : !isPublicAddress(address);
}

/** The entry that allows this URL; otherwise the rule that it breaks, in words. */
export function allowedBy(url: URL, allow: readonly AllowedUrls[]): AllowedUrls | string {
  if (url.protocol !== "https:" && url.protocol !== "http:") return `${url.protocol} is no protocol of the web`;
  if (url.username !== "" || url.password !== "") return "a URL with a user in it is refused";
  const hosts = allow.filter((entry) => isHostOf(entry, url));
  if (hosts.length === 0) return `${url.origin} is not in the grant's allow-list`;
  const entry = hosts.find(({ path }) => path === "/" || isBelow(path, url.pathname));
  return entry ?? `this path of ${url.origin} is not in the grant's allow-list`;
}

function isHostOf(entry: AllowedUrls, url: URL): boolean {
  if (entry.protocol !== url.protocol || entry.port !== url.port) return false;
  return entry.isWildcard ? url.hostname.endsWith(`.${entry.hostname}`) : entry.hostname === url.hostname;
}

/**
 * Whether the path lies below the granted one for every reader. Servers decode again what WHATWG leaves (%2f, %5c, %252e, and
 * some %u002e or %c0%ae), cut off what follows "..", be it `;…`, `#…` or a blank, or take a wide dot for a dot: such paths are
 * below nothing.
 */
function isBelow(granted: string, path: string): boolean {
  const isPrefix = path === granted || path.startsWith(granted.endsWith("/") ? granted : `${granted}/`);
  return isPrefix && path.split("/").every(isPlainSegment);
}

/** Dots at the beginning, unless a name follows: `.well-known`, `..a`. */
const DOTS = /^\s*\.+(?![\p{L}\p{N}._-])/u;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** A segment as WHATWG leaves it: ASCII, with the rest as %xx. */
function isPlainSegment(segment: string): boolean {
  let bytes = segment; // a Latin-1 letter for each
  for (let round = 0; round < DECODINGS_MAX; round++) {
    const text = textOf(bytes);
    if (text === undefined || ![text, text.normalize("NFKC")].every(isPlain)) return false;
    if (!/%[0-9a-f]{2}/i.test(bytes)) return true;
    bytes = bytes.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
  return false;
}

function isPlain(text: string): boolean {
  return !/[/\\\p{Cc}]|%u/iu.test(text) && !DOTS.test(text);
}

/** Undefined for what is no UTF-8. */
function textOf(bytes: string): string | undefined {
  try {
    return utf8.decode(Buffer.from(bytes, "latin1"));
  } catch {
    return undefined;
  }
}
