import { isAbsolute, posix, resolve } from 'node:path';
import { BuildError } from '../../diagnostics/build-error.ts';

/** A directory or file of the host that a container sees. Both paths are absolute. */
export interface VolumeMapping {
  readonly host: string;
  readonly target: string;
  readonly readonly: boolean;
}

const usage = 'write -v HOST:CONTAINER or -v HOST:CONTAINER:ro';

/** Reads `-v`. A relative host path begins with `.`, as in Docker; a bare name would be a volume. Throws ARG_INVALID or UNSUPPORTED. */
export function parseVolume(text: string, directory: string): VolumeMapping {
  const bad = (why: string, hint = usage): BuildError => new BuildError('ARG_INVALID', `"-v ${text}" ${why}`, { hint });
  const [host, target, mode = 'rw', ...rest] = text.split(':');
  if (text.includes('\0')) throw bad('holds a NUL character');
  if (!host || rest.length > 0) throw bad('is not a pair of paths');
  if (target === undefined) {
    throw new BuildError('UNSUPPORTED', `"-v ${text}": volumes without a host directory are not there yet`, {
      hint: 'a VOLUME in the image gets a volume of its own in each container',
    });
  }
  if (!isAbsolute(target) || posix.normalize(target) === '/')
    throw bad(`needs an absolute path other than "/" in the container, not "${target}"`);
  if (!/^[./]/.test(host)) {
    throw new BuildError('UNSUPPORTED', `"-v ${text}": named volumes are not there yet`, { hint: `for the directory write "./${host}"` });
  }
  const options = mode.split(',');
  for (const option of options) if (!['ro', 'rw'].includes(option)) throw bad(`has the unknown mode "${option}"`);
  return { host: resolve(directory, host), target: posix.normalize(target), readonly: options.includes('ro') };
}
