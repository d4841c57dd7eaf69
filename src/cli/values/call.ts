import { parseBoolean } from '../../../grammar/boolean.ts';
import { BuildError } from '../../diagnostics/build-error.ts';
import { nearest } from '../../diagnostics/suggest.ts';
import { parseFields } from './fields.ts';

/** `--call`: what is asked about a Dockerfile in place of a build. */
export interface CallArgument {
  readonly method: CallMethod;
  readonly json: boolean;
  /** `--call check`: warnings leave the exit status at 0. */
  readonly ignoreStatus: boolean;
}

const callMethods = ['check', 'outline', 'targets'] as const;
type CallMethod = (typeof callMethods)[number];

/** Reads `METHOD[,format=json][,ignorestatus=true]`; undefined for `build`, which asks nothing. Throws ARG_INVALID. Source: buildx, `ParseCallFunc`. */
export function parseCall(text: string): CallArgument | undefined {
  let name: string | undefined;
  let format = 'text';
  let ignoreStatus = false;
  for (const [key, value] of parseFields(text, '--call')) {
    if (value === undefined && name === undefined) name = key;
    else if (key === 'format' && (value === 'json' || value === 'text')) format = value;
    else if (key === 'ignorestatus' && parseBoolean(value ?? '') !== undefined) ignoreStatus = parseBoolean(value ?? '') === true;
    else
      throw new BuildError('ARG_INVALID', `"--call ${text}" has "${key}" out of place`, {
        hint: 'write METHOD[,format=json][,ignorestatus=true]',
      });
  }
  if (name === 'build') return undefined;
  return { method: methodOf(name ?? ''), json: format === 'json', ignoreStatus };
}

function methodOf(name: string): CallMethod {
  const known = callMethods.find((method) => method === name || (method === 'check' && name === 'lint'));
  if (known) return known;
  const near = nearest(name, callMethods);
  throw new BuildError('ARG_INVALID', `"${name}" is nothing that can be asked about a Dockerfile`, {
    hint: near ? `did you mean "${near}"?` : `write one of ${callMethods.join(', ')}`,
  });
}
