import { resolve } from 'node:path';
import { parseBoolean } from '../../../grammar/boolean.ts';
import type { SshOption } from '../../build-options.ts';
import { BuildError } from '../../diagnostics/build-error.ts';
import type { Caller } from '../caller.ts';

/**
 * Reads `--ssh`: `ID`, `ID=SOCKET`, `ID=KEY,KEY…`, `ID=SOCKET,raw=true`, as buildctl and buildx do. Without a path it is the agent of the
 * caller. Throws ARG_INVALID, and SSH_MISSING where the caller has none.
 */
export function parseSsh(text: string, { directory, environment }: Pick<Caller, 'directory' | 'environment'>): SshOption {
  const equals = text.indexOf('=');
  const id = (equals < 0 ? text : text.slice(0, equals)) || 'default';
  const words = equals < 0 ? [] : text.slice(equals + 1).split(',');
  const bad = (why: string): BuildError =>
    new BuildError('ARG_INVALID', `"--ssh ${text}" ${why}`, { hint: 'write --ssh default, --ssh ID=SOCKET or --ssh ID=KEY' });
  const raw = words.filter((word) => word.startsWith('raw=')).map((word) => readRaw(word.slice(4), bad));
  const paths = words.filter((word) => word !== '' && !word.startsWith('raw='));
  const isRaw = raw.at(-1) ?? false;
  if (isRaw && paths.length !== 1) throw bad('is raw, and needs exactly one socket');
  return { id, paths: paths.length > 0 ? paths.map((path) => resolve(directory, path)) : [callersAgent(environment)], raw: isRaw };
}

function readRaw(word: string, bad: (why: string) => BuildError): boolean {
  const known = parseBoolean(word);
  if (known !== undefined) return known;
  throw bad(`says raw=${word}, which is neither true nor false`);
}

function callersAgent({ SSH_AUTH_SOCK: socket }: Caller['environment']): string {
  if (socket) return socket;
  throw new BuildError('SSH_MISSING', 'no agent runs here: SSH_AUTH_SOCK is not set', {
    hint: 'start one with "eval $(ssh-agent)" and "ssh-add", or give a key with --ssh default=KEYFILE',
  });
}
