import { BuildError } from '../../diagnostics/build-error.ts';

// Source: docker/go-units, ulimit.go.
const names = [
  ...['core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice'],
  ...['nofile', 'nproc', 'rss', 'rtprio', 'rttime', 'sigpending', 'stack'],
];

/** A limit of a process; -1 is none. */
export interface Ulimit {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** Reads `--ulimit name=soft[:hard]`: the hard limit is the soft one where it is not given. Throws ARG_INVALID. */
export function parseUlimit(text: string): Ulimit {
  const bad = (why: string, hint = 'write --ulimit NAME=SOFT[:HARD], as in "nofile=1024:2048"'): BuildError =>
    new BuildError('ARG_INVALID', `"--ulimit ${text}" ${why}`, { hint });
  const match = /^([^=]*)=(-1|\d{1,15})(?::(-1|\d{1,15}))?$/.exec(text);
  if (!match) throw bad('is not a name and one or two numbers');
  const [, name = '', first, second = first] = match;
  if (!names.includes(name)) throw bad(`has the unknown name "${name}"`, `names are ${names.join(', ')}`);
  const [soft, hard] = [Number(first), Number(second)];
  if (hard !== -1 && (soft === -1 || soft > hard)) throw bad('has a soft limit above the hard one');
  return { name, soft, hard };
}
