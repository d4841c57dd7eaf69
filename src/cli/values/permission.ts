import type { Permission } from '../../build-options.ts';
import { BuildError } from '../../diagnostics/build-error.ts';
import { nearest } from '../../diagnostics/suggest.ts';

const known: readonly Permission[] = ['network.host', 'security.insecure', 'device'];

/** Reads `--allow`. Throws ARG_INVALID for what nobody knows, UNSUPPORTED for what has no use here. Source: buildx and BuildKit, entitlements. */
export function parsePermission(text: string): Permission {
  const [name = ''] = text.split('=', 1);
  const permission = known.find((each) => each === name);
  if (permission === 'device' || (permission && permission === text)) return permission;
  if (name === 'buildx.local.delete') {
    throw new BuildError('UNSUPPORTED', `"--allow ${text}" permits "--output type=local,mode=delete", which is not there`, {
      hint: 'empty the directory yourself before the build',
    });
  }
  if (name.startsWith('fs.') || name === 'fs' || name === 'ssh') {
    throw new BuildError('UNSUPPORTED', `"--allow ${text}" belongs to "buildx bake"`, { hint: 'leave it out' });
  }
  const near = nearest(name, known);
  throw new BuildError('ARG_INVALID', `"--allow ${text}" is nothing that could be allowed`, {
    hint: near ? `did you mean "${near}"?` : `write one of ${known.join(', ')}`,
  });
}
