import type { Permission } from '../../build-options.ts';
import { BuildError } from '../../diagnostics/build-error.ts';
import { nearest } from '../../diagnostics/suggest.ts';

const known = ['network.host', 'security.insecure', 'device'] as const;

/** Reads `--allow`. Throws ARG_INVALID for what nobody knows, UNSUPPORTED for what has no use here. Source: buildx and BuildKit, entitlements. */
export function parsePermission(text: string): Permission {
  const [name = ''] = text.split('=', 1);
  const permission = known.find((each) => each === name);
  if (permission && permission === text) return permission;
  if (permission === 'device') return devicePermission(text);
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

/** `device=NAME[,alias=ALIAS]`; without a name it is every device. */
function devicePermission(text: string): Permission {
  const [device = '', ...fields] = text.slice('device='.length).split(',');
  const unknown = fields.find((field) => !field.startsWith('alias='));
  if (unknown !== undefined) {
    const hint = 'write device, device=NAME or device=NAME,alias=ALIAS';
    throw new BuildError('ARG_INVALID', `"--allow ${text}" has the unknown field "${unknown}"`, { hint });
  }
  return device === '' ? 'device' : `device=${[device, ...fields].join(',')}`;
}
