import { posix } from 'node:path';
import { checkPermissions } from '../../devices/edits.ts';
import { isQualifiedName } from '../../devices/specification.ts';
import { BuildError } from '../../diagnostics/build-error.ts';
import type { DeviceArgument } from '../../run.ts';

/** Reads `--device` of a run: `HOST[:PATH[:rwm]]`, or the full name of a device that is described on this machine. Throws ARG_INVALID. */
export function parseDevice(text: string): DeviceArgument {
  if (isQualifiedName(text)) return { name: text };
  const bad = (why: string): BuildError =>
    new BuildError('ARG_INVALID', `"--device ${text}" ${why}`, {
      hint: 'write --device /dev/NAME[:/dev/OTHER[:rwm]] or --device VENDOR/CLASS=NAME',
    });
  const [hostPath = '', second, third, ...rest] = text.split(':');
  if (text.includes('\0') || rest.length > 0) throw bad('is no device');
  // Two words are paths, or a path and permissions.
  const isMode = second !== undefined && third === undefined && /^[rwm]{1,3}$/.test(second);
  const path = isMode || second === undefined ? hostPath : second;
  for (const each of [hostPath, path])
    if (!each.startsWith('/') || posix.normalize(each) === '/') throw bad(`needs absolute paths, not "${each}"`);
  const permissions = (isMode ? second : third) ?? 'rwm';
  if (!/^[rwm]{1,3}$/.test(permissions)) throw bad(`has the permissions "${permissions}", and they are of r, w and m`);
  checkPermissions(permissions, hostPath);
  return { hostPath, path: posix.normalize(path) };
}
