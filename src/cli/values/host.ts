import { isIP } from 'node:net';
import type { HostOption } from '../../build-options.ts';
import { BuildError } from '../../diagnostics/build-error.ts';

const form = 'it is written --add-host NAME:ADDRESS or NAME=ADDRESS, as in "db:10.0.0.5" or "db=[::1]"';

/** Reads `--add-host name:ip[,ip…]`: a line for each address. Throws ARG_INVALID, and UNSUPPORTED for `host-gateway`. Source: buildx. */
export function parseHost(text: string): readonly HostOption[] {
  const bad = (why: string, hint = form): BuildError => new BuildError('ARG_INVALID', `"--add-host ${text}" ${why}`, { hint });
  const at = text.includes('=') ? text.indexOf('=') : text.indexOf(':');
  const name = text.slice(0, Math.max(at, 0)).toLowerCase();
  const addresses = text.slice(at + 1);
  if (at < 0 || name === '' || addresses === '') throw bad('is not a name and an address');
  // What a line of /etc/hosts, or the list of them, would read as something else.
  if (/[\s#,"\0]/.test(name)) throw bad(`has the name "${name}", which cannot stand in /etc/hosts`);
  if (addresses === 'host-gateway') {
    throw new BuildError('UNSUPPORTED', '"host-gateway" is the address of a daemon\'s machine, and there is no daemon', {
      hint: 'give an address of this machine, as "ip address" shows it; or build with "--network host" and use localhost',
    });
  }
  return addresses.split(',').map((address) => {
    const ip = address.replace(/^\[(.+)\]$/, '$1');
    // Go's net.ParseIP knows no zones.
    if (isIP(ip) === 0 || ip.includes('%')) throw bad(`has "${address}", which is no IP address`);
    return { name, ip };
  });
}
