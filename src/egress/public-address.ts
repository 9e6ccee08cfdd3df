// What a public address is, and the exceptions that a deployment makes (EGRESS_ALLOW). For
// addresses that came from users, models and redirects. Pure: fetch-public.ts asks with what it is
// about to connect to.

import ipaddr from 'ipaddr.js';

export interface PublicAddresses {
  /** Whether a connection to this address, reached under this host and port, may be made. */
  readonly allows: (host: string, port: number, address: string) => boolean;
  /**
   * Why this address can be refused before anything is looked up; undefined: only the fetch can
   * tell.
   */
  readonly problem: (text: string) => string | undefined;
}

const LONGEST = 2048;

/**
 * Public by its number, but a cloud's own: it hands out certificates and settings to every caller
 * from inside.
 */
const NEVER = new Set(['168.63.129.16']);
/**
 * Everything assigned so far is in here; what is outside embeds IPv4 addresses, is local, or is
 * nobody's.
 */
const GLOBAL_V6 = ipaddr.IPv6.parseCIDR('2000::/3');

function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const ip = ipaddr.process(address); // unmaps ::ffff:a.b.c.d
  if (ip.range() !== 'unicast' || NEVER.has(ip.toString())) return false;
  return ip.kind() === 'ipv4' || (ip as ipaddr.IPv6).match(GLOBAL_V6);
}

export const hostOf = (url: URL): string =>
  url.hostname
    .replace(/^\[|\]$/g, '')
    .replace(/\.+$/, '')
    .toLowerCase();

export const portOf = (url: URL): number =>
  Number(url.port) || (url.protocol === 'https:' ? 443 : 80);

export function publicAddresses(exceptions: readonly string[]): PublicAddresses {
  const names = new Set<string>();
  const ranges: [ipaddr.IPv4 | ipaddr.IPv6, number][] = [];
  for (const text of exceptions) {
    if (text.includes('/')) ranges.push(ipaddr.parseCIDR(text));
    else names.add(normal(text));
  }
  const allows = (host: string, port: number, address: string): boolean => {
    if (isPublic(address) || names.has(host) || names.has(`${host}:${port}`)) return true;
    if (!ipaddr.isValid(address)) return false;
    const ip = ipaddr.process(address);
    return ranges.some(([base, bits]) => base.kind() === ip.kind() && ip.match(base, bits));
  };
  return {
    allows,
    problem: (text) => {
      if (text.length > LONGEST) return `must be at most ${LONGEST} characters long`;
      const url = URL.canParse(text) ? new URL(text) : undefined;
      if (url === undefined || !/^https?:\/\//i.test(text) || !/^https?:$/.test(url.protocol))
        return 'must be an http or https address';
      if (url.username !== '' || url.password !== '')
        return 'must not hold a user name or password';
      const host = hostOf(url);
      if (host === '') return 'must name a host';
      const local = host === 'localhost' || host.endsWith('.localhost') ? '127.0.0.1' : host;
      if (ipaddr.isValid(local) && !allows(host, portOf(url), local))
        return 'must be a public address';
      return undefined;
    },
  };
}

/**
 * As URL writes it, so that both spellings of an address are one: `[::1]:80`, `::1`, `Example.org`.
 */
function normal(text: string): string {
  if (ipaddr.isValid(text))
    return hostOf(new URL(`http://${text.includes(':') ? `[${text}]` : text}/`));
  const [, host = '', port] = /^(.*?)(?::(\d+))?$/.exec(text) ?? [];
  return `${hostOf(new URL(`http://${host}/`))}${port === undefined ? '' : `:${Number(port)}`}`;
}
