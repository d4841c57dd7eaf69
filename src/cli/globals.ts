import { join, resolve } from 'node:path';
import { BuildError } from '../diagnostics/build-error.ts';
import type { Caller } from './caller.ts';
import { type Flag, sets, type Unavailable } from './flag.ts';

/** Options that every command has, before or after its name. */
export interface Globals {
  /** The store's root, absolute. */
  root: string;
  debugLog: boolean;
  help: boolean;
}

export const globalFlags: readonly Flag<Globals>[] = [
  { name: 'root', value: 'DIR', help: 'where images and caches are kept (or COOPER_ROOT)', set: setRoot },
  {
    name: 'debug-log',
    help: 'say how containers are made on this machine and why not otherwise, and more about errors: stacks and causes',
    set: sets('debugLog'),
  },
  { name: 'help', short: 'h', help: 'show this', set: sets('help') },
];

export const unavailableGlobals: readonly Unavailable[] = [
  { name: 'config', hint: "credentials are read from Docker's own config.json; DOCKER_CONFIG names its directory" },
];

/** What holds when nothing is said: COOPER_ROOT, else `/var/lib/cooper` for root, else the user's data directory (XDG). */
export function defaultGlobals({ environment, directory, isRoot }: Caller): Globals {
  const { COOPER_ROOT: named, XDG_DATA_HOME: data, HOME: home } = environment;
  return { root: named ? resolve(directory, named) : defaultRoot(isRoot, data, home), debugLog: false, help: false };
}

function defaultRoot(isRoot: boolean, data: string | undefined, home: string | undefined): string {
  if (isRoot) return '/var/lib/cooper';
  // A relative XDG_DATA_HOME is to be ignored (XDG base directory specification, "Basics").
  if (data?.startsWith('/')) return join(data, 'cooper');
  // Without a home there is no default; needRoot says so to those commands that need one.
  return home ? join(home, '.local/share/cooper') : '';
}

/** The store's root. Throws ARG_INVALID when nothing tells where it is. */
export function needRoot({ root }: Globals): string {
  if (root === '') throw new BuildError('ARG_INVALID', 'no place for the store is known: HOME is not set', { hint: 'use --root DIR' });
  return root;
}

function setRoot(options: Globals, text: string, { directory }: Caller): void {
  if (text === '') throw new BuildError('ARG_INVALID', '"--root" needs the name of a directory');
  options.root = resolve(directory, text);
}
