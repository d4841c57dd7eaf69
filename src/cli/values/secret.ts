import { resolve } from 'node:path';
import { parseBoolean } from '../../../grammar/boolean.ts';
import type { SecretOption } from '../../build-options.ts';
import { BuildError } from '../../diagnostics/build-error.ts';
import { nearest } from '../../diagnostics/suggest.ts';
import type { Caller } from '../caller.ts';
import { parseFields } from './fields.ts';

const keys = new Set(['id', 'type', 'src', 'source', 'env', 'scan', 'invalidate']);
const usage = 'write --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE';

/**
 * Reads `--secret`. With neither file nor variable the id names a variable where there is such a one, else a file, as in buildx.
 * Throws ARG_INVALID, and SECRET_MISSING for a variable that is not set. Messages don't repeat what was typed: it may be the secret itself.
 */
export function parseSecret(text: string, { directory, environment }: Pick<Caller, 'directory' | 'environment'>): SecretOption {
  const fields = parseFields(text, '--secret', 'it');
  const bad = (why: string, hint = usage): BuildError => new BuildError('ARG_INVALID', `"--secret" ${why}`, { hint });
  for (const key of fields.keys()) if (!keys.has(key)) throw unknownField(key, bad);
  const type = fields.get('type');
  if (type !== undefined && type !== 'file' && type !== 'env') throw bad('has an unknown "type"', 'it is "file" or "env"');
  const source = fields.get('src') ?? fields.get('source');
  const id = fields.get('id');
  if (!id) throw bad('has no id');
  if (source !== undefined && fields.get('env') !== undefined) throw bad(`with the id "${id}" has both a file and a variable`);
  const switches = {
    ...(isSet(fields, 'scan', bad) ? {} : { scan: false }),
    ...(fields.has('invalidate') && { invalidate: isSet(fields, 'invalidate', bad) }),
  };
  const variable = fields.get('env') ?? (type === 'env' ? (source ?? id) : undefined);
  if (variable !== undefined) return { id, source: { value: variableValue(id, variable, environment) }, ...switches };
  const own = source === undefined && type === undefined ? environment[id] : undefined;
  return { id, source: own === undefined ? { file: resolve(directory, source ?? id) } : { value: own }, ...switches };
}

type Bad = (why: string, hint?: string) => BuildError;

function unknownField(key: string, bad: Bad): BuildError {
  const near = nearest(key, keys);
  // A word that is near to none may be no word of ours at all.
  return near ? bad(`has no field "${key}"`, `did you mean "${near}"?`) : bad(`has an unknown field; it has ${[...keys].join(', ')}`);
}

/** A switch that stands alone is on, and so is one that is not there. */
function isSet(fields: ReadonlyMap<string, string | undefined>, key: string, bad: Bad): boolean {
  const value = parseBoolean(fields.get(key) ?? 'true');
  if (value === undefined) throw bad(`has a "${key}" that is neither true nor false`, `write ${key}=true or ${key}=false`);
  return value;
}

function variableValue(id: string, name: string, environment: Caller['environment']): string {
  const value = environment[name];
  if (value !== undefined) return value;
  // `env=$TOKEN` in place of `env=TOKEN` must not show the token.
  const shown = /^[A-Z_][A-Z0-9_]*$/.test(name) ? ` "${name}"` : '';
  throw new BuildError('SECRET_MISSING', `the environment variable${shown} of the secret "${id}" is not set`, {
    hint: 'env=NAME has the name of a variable, without a dollar sign',
  });
}
