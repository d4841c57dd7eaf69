import { isIP } from 'node:net';
import { BuildError } from '../../diagnostics/build-error.ts';

/** A port of the container that the host listens on for it. */
export interface PortMapping {
  readonly hostIP: string;
  /** 0: one of the kernel's choice. */
  readonly hostPort: number;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
}

const form = /^(?:(?:(?<ip>\[[^\]]*\]|[^:]*):)?(?<host>[^:]*):)?(?<port>[^:/]*)(?:\/(?<protocol>.*))?$/;

/** Reads `-p`: `8080:80`, `127.0.0.1:8080:80/udp`, `[::1]:8080:80`, `127.0.0.1::80`, `80`. Throws ARG_INVALID or UNSUPPORTED. */
export function parsePort(text: string): PortMapping {
  const bad = (why: string, hint = 'write -p [[IP:]HOSTPORT:]PORT[/udp]'): BuildError =>
    new BuildError('ARG_INVALID', `"-p ${text}" ${why}`, { hint });
  const { ip, host = '', port, protocol = 'tcp' } = form.exec(text)?.groups ?? {};
  if (port === undefined) throw bad('is not a pair of ports');
  const notYet = (what: string, hint: string): BuildError => new BuildError('UNSUPPORTED', `"-p ${text}": ${what}`, { hint });
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp') throw bad(`has the unknown protocol "${protocol}"`);
  if (protocol === 'sctp') throw notYet(`ports of ${protocol} are not there yet`, 'use --network host');
  if (/^\d+-\d+$/.test(host) || /^\d+-\d+$/.test(port)) throw notYet('ranges of ports are not there yet', 'give -p once for each port');
  const address = (ip ?? '').replace(/^\[(.*)\]$/, '$1') || '0.0.0.0';
  if (isIP(address) === 0) throw bad(`has "${address}" where an IP address belongs`);
  return { hostIP: address, hostPort: host === '' ? 0 : numberOf(host, bad), port: numberOf(port, bad), protocol };
}

function numberOf(text: string, bad: (why: string) => BuildError): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535) throw bad(`has "${text}" where a port from 1 to 65535 belongs`);
  return port;
}
