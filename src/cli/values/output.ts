import { resolve } from 'node:path';
import { BuildError } from '../../diagnostics/build-error.ts';
import { nearest } from '../../diagnostics/suggest.ts';
import type { Caller } from '../caller.ts';
import { parseFields } from './fields.ts';

const types = ['oci', 'docker', 'local'] as const;
/** Types of buildx that are not there yet, with what there is instead. */
const unavailable: Readonly<Record<string, string>> = {
  image: 'the image goes to the store without it; --tag names it',
  registry: 'use --push',
  tar: 'use --output type=local,dest=DIR',
  cacheonly: 'leave --output out',
};
const usage = 'write --output type=oci|docker|local,dest=PATH';

/** What `--output` says. */
export interface OutputArgument {
  readonly type: (typeof types)[number];
  /** Absolute, or `-` for standard output. */
  readonly destination: string;
}

/** Reads `--output`: `type=oci,dest=app.tar`, or a directory alone for `type=local`. Throws ARG_INVALID or UNSUPPORTED. */
export function parseOutput(text: string, caller: Pick<Caller, 'directory' | 'resultIsTerminal'>): OutputArgument {
  const bad = (why: string, hint = usage): BuildError => new BuildError('ARG_INVALID', `"--output ${text}" ${why}`, { hint });
  if (text === '') throw bad('is empty');
  if (text === '-') throw new BuildError('UNSUPPORTED', '"--output -", a tar of the files, is not there yet', { hint: unavailable.tar });
  if (!/[=,]/.test(text)) return { type: 'local', destination: resolve(caller.directory, text) };
  const { type, destination, others } = destructure(parseFields(text, '--output'));
  if (type === undefined) throw bad('has no type');
  if (Object.hasOwn(unavailable, type))
    throw new BuildError('UNSUPPORTED', `"--output type=${type}" is not there yet`, { hint: unavailable[type] });
  if (!isType(type)) throw bad(`has the unknown type "${type}"`, suggestion(type));
  for (const [key, value] of others) {
    if (key === 'tar' && value === 'true' && type !== 'local') continue;
    throw new BuildError('UNSUPPORTED', `"${key}" of "--output ${text}" is not there yet`, { hint: usage });
  }
  if (type === 'local' && (destination === undefined || destination === '-'))
    throw bad('needs a directory', 'write --output type=local,dest=DIR');
  if (destination !== undefined && destination !== '-') return { type, destination: resolve(caller.directory, destination) };
  if (caller.resultIsTerminal) throw bad('would write an archive to the terminal', 'name a file with dest=FILE, or send the output to one');
  return { type, destination: '-' };
}

function destructure(fields: ReadonlyMap<string, string | undefined>): {
  type: string | undefined;
  destination: string | undefined;
  others: ReadonlyMap<string, string | undefined>;
} {
  const others = new Map(fields);
  for (const key of ['type', 'dest', 'destination']) others.delete(key);
  return { type: fields.get('type'), destination: (fields.get('dest') ?? fields.get('destination')) || undefined, others };
}

const isType = (text: string): text is OutputArgument['type'] => (types as readonly string[]).includes(text);

function suggestion(type: string): string {
  const near = nearest(type, types);
  return near ? `did you mean "type=${near}"?` : usage;
}
