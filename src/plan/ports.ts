import { isIP } from 'node:net';

const protocols: readonly string[] = ['tcp', 'udp', 'sctp'];

/**
 * `80`, `53/udp`, `8000-8010`, each with `[ip:]hostPort:` before it, as a list of `port/protocol`; undefined for anything else.
 * What belongs to the host means nothing in an image, and is checked and dropped. Source: BuildKit, `parsePortSpec`.
 */
export function parsePorts(text: string): readonly string[] | undefined {
  const parts = text.split(':');
  const [range = '', protocol = 'tcp', ...more] = (parts.pop() ?? '').split('/');
  const container = parseRange(range);
  const hostText = parts.pop();
  const host = hostText ? parseRange(hostText) : container;
  const name = protocol.toLowerCase() || 'tcp';
  if (!container || !host || more.length > 0 || !protocols.includes(name) || !isAddress(parts.join(':'))) return undefined;
  const [first, last] = container;
  if (last - first !== host[1] - host[0] && last !== first) return undefined;
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${name}`);
}

function parseRange(text: string): readonly [number, number] | undefined {
  const match = /^(\+?0*\d{1,5})(?:-(\+?0*\d{1,5}))?$/.exec(text);
  if (!match) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first <= last && last <= 65535 ? [first, last] : undefined;
}

const isAddress = (text: string): boolean => text === '' || isIP(text.replace(/^\[(.*)\]$/, '$1')) !== 0;
