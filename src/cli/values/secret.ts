import { resolve } from 'node:path';
import type { SecretOption } from '../../build-options.ts';
import { BuildError } from '../../diagnostics/build-error.ts';
import type { Caller } from '../caller.ts';
import { parseFields } from './fields.ts';

const keys = new Set(['id', 'type', 'src', 'source', 'env']);
const usage = 'write --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE';

/**
 * Reads `--secret`. With neither file nor variable the id names a variable where there is such a one, else a file, as in buildx.
 * Throws ARG_INVALID, and SECRET_MISSING for a variable that is not set.
 */
export function parseSecret(text: string, { directory, environment }: Pick<Caller, 'directory' | 'environment'>): SecretOption {
  const fields = parseFields(text, '--secret');
  const bad = (why: string): BuildError => new BuildError('ARG_INVALID', `"--secret ${text}" ${why}`, { hint: usage });
  for (const key of fields.keys()) if (!keys.has(key)) throw bad(`has the unknown field "${key}"`);
  const type = fields.get('type');
  if (type !== undefined && type !== 'file' && type !== 'env') throw bad(`has the unknown type "${type}"`);
  const source = fields.get('src') ?? fields.get('source');
  const id = fields.get('id');
  if (!id) throw bad('has no id');
  if (source !== undefined && fields.get('env') !== undefined) throw bad('has both a file and a variable');
  const variable = fields.get('env') ?? (type === 'env' ? (source ?? id) : undefined);
  if (variable !== undefined) return { id, source: { value: variableValue(variable, environment) } };
  const own = source === undefined && type === undefined ? environment[id] : undefined;
  return { id, source: own === undefined ? { file: resolve(directory, source ?? id) } : { value: own } };
}

function variableValue(name: string, environment: Caller['environment']): string {
  const value = environment[name];
  if (value === undefined) throw new BuildError('SECRET_MISSING', `the environment variable "${name}" of a secret is not set`);
  return value;
}
