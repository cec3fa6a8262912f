/**
 * Which addresses are public. Everything that is not plainly a public unicast address is refused: the machine itself, its
 * networks, the metadata services of clouds, and every form of IPv6 that carries an IPv4 address inside.
 *
 * The list is IANA's two special-purpose registries (RFC 6890 and its updates). For IPv6 it is turned around: only 2000::/3
 * is given out, so all else is refused, and of it the parts that are special.
 */
import { BlockList, isIP, isIPv4 } from "node:net";

const SPECIAL_V4: readonly string[] = [
  "0.0.0.0/8", // this host
  "10.0.0.0/8", // private
  "100.64.0.0/10", // carrier's NAT
  "127.0.0.0/8", // loopback
  "169.254.0.0/16", // link-local; 169.254.169.254 tells a cloud machine its secrets
  "172.16.0.0/12", // private
  "192.0.0.0/24", // IETF assignments
  "192.0.2.0/24", // documentation, as the next but two and the one after it
  "192.88.99.0/24", // relays of 6to4
  "192.168.0.0/16", // private
  "198.18.0.0/15", // benchmarks
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved, and broadcast
];

/** Parts of 2000::/3. */
const SPECIAL_V6: readonly string[] = [
  "2001::/23", // IETF assignments: Teredo (2001::/32), ORCHID, benchmarks
  "2001:db8::/32", // documentation
  "2002::/16", // 6to4: an IPv4 address inside
  "3fff::/20", // documentation
];

const special: BlockList = listOf(SPECIAL_V4, SPECIAL_V6);
const globalUnicast: BlockList = listOf([], ["2000::/3"]);

/**
 * Whether this is the text of a public unicast address. Names, addresses with a zone (`fe80::1%eth0`) and whatever else is
 * no address are not.
 */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0 || address.includes("%")) return false;
  if (isIPv4(address)) return !special.check(address, "ipv4");
  return globalUnicast.check(address, "ipv6") && !special.check(address, "ipv6");
}

/** The address that a URL's host spells, without brackets; undefined for a name. WHATWG parsing made 0x7f.1 127.0.0.1 before. */
export function literalAddress(hostname: string): string | undefined {
  const bare = hostname.startsWith("[") && hostname.endsWith("]") ? hostname.slice(1, -1) : hostname;
  return isIP(bare) === 0 ? undefined : bare;
}

/** Names that only ever mean this machine or its neighbours: an address, `localhost`, a name of one word as compose files have. */
export function isLocalName(hostname: string): boolean {
  return literalAddress(hostname) !== undefined || isLocalhost(hostname) || !hostname.includes(".");
}

/** `localhost` and every name below it (RFC 6761). */
export function isLocalhost(hostname: string): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost");
}

function listOf(v4: readonly string[], v6: readonly string[]): BlockList {
  const list = new BlockList();
  for (const subnet of [...v4, ...v6]) {
    const [net = "", prefix = ""] = subnet.split("/");
    list.addSubnet(net, Number(prefix), isIPv4(net) ? "ipv4" : "ipv6");
  }
  return list;
}
