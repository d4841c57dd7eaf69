import type { Command } from './command.ts';

export interface CommandEntry {
  readonly summary: string;
  /** A command's module is read only when it is called for: starting must be quick. */
  readonly load: () => Promise<{ readonly command: Command }>;
}

/** Every command, in the order of the help. */
export const commands: Readonly<Record<string, CommandEntry>> = {
  build: { summary: 'build an image from a Dockerfile', load: () => import('./commands/build.ts') },
  run: { summary: 'run a container from an image, in the foreground', load: () => import('./commands/run.ts') },
  push: { summary: 'send an image to its registry', load: () => import('./commands/push.ts') },
  pull: { summary: 'fetch an image from its registry', load: () => import('./commands/pull.ts') },
  tag: { summary: 'give an image another name', load: () => import('./commands/tag.ts') },
  images: { summary: 'list the images', load: () => import('./commands/images.ts') },
  inspect: { summary: 'show all about an image as JSON', load: () => import('./commands/inspect.ts') },
  history: { summary: 'show the steps that an image was made by', load: () => import('./commands/history.ts') },
  rmi: { summary: 'remove names of images', load: () => import('./commands/rmi.ts') },
  df: { summary: 'show what the store holds, and how much of the disk it takes', load: () => import('./commands/df.ts') },
  prune: { summary: 'delete caches, and what no image needs', load: () => import('./commands/prune.ts') },
  ast: { summary: 'print a Dockerfile as parsed, as JSON', load: () => import('./commands/ast.ts') },
  doctor: { summary: 'say what this machine lets cooper do', load: () => import('./commands/doctor.ts') },
  version: { summary: 'print the version', load: () => import('./commands/version.ts') },
};

/** Commands that people will try, with what there is instead. */
export const unavailableCommands: Readonly<Record<string, string>> = {
  buildx: 'type "cooper build"',
  login: `put the credentials into Docker's config.json; DOCKER_CONFIG names its directory`,
  logout: `take the credentials out of Docker's config.json`,
  save: 'use "cooper build -o type=docker,dest=FILE"',
  load: 'push the image to a registry and use "cooper pull"',
  ps: 'containers run in the foreground and are gone when they end',
  exec: 'use "cooper run" with another command',
  create: 'use "cooper run"',
  builds: 'use "cooper build --progress plain" and keep its output',
  completion: '"cooper help" lists the commands',
};
