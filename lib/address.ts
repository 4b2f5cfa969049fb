/**
 * Which address a request came from, behind proxies too.
 *
 * @module
 */
import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** A range of addresses: its first, and how many of its bits count. */
export type Network = readonly [address: Address, bits: number];

/** Tells where requests come from. */
export interface Addresses {
  /**
   * The client's address as it is counted: an IPv4 address (one that is mapped into IPv6 included) as it is, an IPv6
   * address as its /64 (`2001:db8:1:2::/64`), since one subscriber commonly has them all. `unknown` when `remote`, the
   * peer of the connection, is no address.
   */
  of(remote: string, headers: Headers): string;
}

/** Looked at from the right; what is further left was not written by proxies that we trust. */
const MAX_HEADER = 2048;
const MAX_HOPS = 32;
/** `inet_aton` also reads octal, hexadecimal and short forms; a proxy writes none of them. */
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const BRACKETED = /^\[([^\]]*)\](?::\d{1,5})?$/;
const IPV4_WITH_PORT = /^([\d.]+):\d{1,5}$/;

/**
 * Reads `X-Forwarded-For` from right to left for as long as the hop so far is one of `trustedProxies`. What is not an
 * address stops it at the last good hop, and without trusted proxies the header counts for nothing.
 *
 * @param trustedProxies CIDRs, or single addresses.
 * @throws {SyntaxError} for one that is not a CIDR.
 */
export function createAddresses(trustedProxies: readonly string[]): Addresses {
  const networks = trustedProxies.map(parseNetwork);

  function isTrusted(address: Address): boolean {
    return networks.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits));
  }

  return {
    of(remote, headers) {
      let client = parseAddress(remote);
      if (client === undefined) return "unknown";
      const forwarded = networks.length > 0 ? headers.get("x-forwarded-for") : null;
      if (forwarded !== null) {
        for (const hop of hopsFromRight(forwarded)) {
          if (!isTrusted(client)) break;
          const next = parseAddress(withoutPort(hop));
          if (next === undefined) break;
          client = next;
        }
      }
      return group(client);
    },
  };
}

/**
 * A CIDR (`10.0.0.0/8`, `2001:db8::/32`) or a single address. A range of IPv4-mapped addresses is one of IPv4.
 *
 * @throws {SyntaxError} when it is neither.
 */
export function parseNetwork(text: string): Network {
  const slash = text.indexOf("/");
  const host = slash < 0 ? text : text.slice(0, slash);
  const address = host.includes("%") ? undefined : parseAddress(host);
  if (address !== undefined) {
    const mapped = address.kind() === "ipv4" && host.includes(":");
    const width = address.kind() === "ipv4" ? 32 : 128;
    const suffix = slash < 0 ? `${mapped ? 128 : width}` : text.slice(slash + 1);
    const bits = /^\d{1,3}$/.test(suffix) ? Number(suffix) - (mapped ? 96 : 0) : -1;
    if (bits >= 0 && bits <= width) return [address, bits];
  }
  throw new SyntaxError(`not a network address such as 10.0.0.0/8 or 2001:db8::/32: ${JSON.stringify(text)}`);
}

function* hopsFromRight(header: string): Generator<string> {
  const hops = header.slice(-MAX_HEADER).split(",");
  // The cut may have left the end of an address that reads as another.
  if (header.length > MAX_HEADER) hops.shift();
  for (const hop of hops.reverse().slice(0, MAX_HOPS)) yield hop.trim();
}

/** Some proxies write `192.0.2.1:4711`, `[2001:db8::1]` or `[2001:db8::1]:4711`. */
function withoutPort(hop: string): string {
  return BRACKETED.exec(hop)?.[1] ?? IPV4_WITH_PORT.exec(hop)?.[1] ?? hop;
}

/** A zone id names an interface of one machine (RFC 4007 section 11), so it is no part of the address. */
function parseAddress(text: string): Address | undefined {
  if (IPV4.test(text)) return ipaddr.IPv4.parse(text);
  const zone = text.indexOf("%");
  const bare = zone < 0 ? text : text.slice(0, zone);
  // 45 characters: eight groups, the last two as IPv4.
  if (bare.length > 45 || !bare.includes(":") || !ipaddr.IPv6.isValid(bare)) return undefined;
  const address = ipaddr.IPv6.parse(bare);
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

function group(address: Address): string {
  if (address.kind() === "ipv4") return address.toString();
  const parts = (address as ipaddr.IPv6).parts.slice(0, 4);
  return `${new ipaddr.IPv6([...parts, 0, 0, 0, 0])}/64`;
}
