/**
 * Names to addresses. The resolver asks name servers over sockets of its own (c-ares): `getaddrinfo` would take threads of the
 * pool in which the vault waits for its disk, and slow name servers of an agent's choice would stop everybody's commits.
 * So the hosts file is not read, and a name is a whole name: no search domains.
 */
import { Resolver } from "node:dns/promises";
import { isLocalhost } from "./egress-addresses.ts";

/** The addresses of a name, as text; none where there is no such name. Rejects when the signal aborts. */
export type Resolve = (hostname: string, signal: AbortSignal) => Promise<readonly string[]>;

/** Two tries of three seconds: as long as anybody waits for a name. */
const TRY_MS = 3_000;
const TRIES = 2;
/** Addresses of one name that are looked at; more are no use to a connection. */
const ADDRESSES_MAX = 32;

/** Asks the name servers of this machine, or those given (`127.0.0.1:5353`). */
export function nameResolver(servers?: readonly string[]): Resolve {
  return async (hostname, signal) => {
    if (isLocalhost(hostname)) return ["127.0.0.1", "::1"]; // RFC 6761: never asked of anybody
    const resolver = new Resolver({ timeout: TRY_MS, tries: TRIES });
    if (servers !== undefined) resolver.setServers([...servers]);
    const cancel = (): void => resolver.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    try {
      signal.throwIfAborted();
      const answers = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
      signal.throwIfAborted();
      return answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : [])).slice(0, ADDRESSES_MAX);
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  };
}
