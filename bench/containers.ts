import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { call } from './tools.ts';
import type { Workspace } from './workspace.ts';

/** A runtime that starts a shell's `true` in a container on the base image's files, as a command of its own. */
export interface Runtime {
  readonly name: string;
  /** So many times, one after the other: milliseconds of each command. */
  readonly timesMs: (count: number) => readonly number[];
  /** The same of a program that says what time it is: milliseconds until then. */
  readonly wordsMs: (count: number) => readonly number[];
}

/**
 * Times each command within one shell, so that the start of a shell does not count: to the time that the program says, if it says one, or to its end.
 * Its arguments: count, then the command, to which a name is added that is new each time.
 */
const loop = `
count=$1; shift
for ((i = 0; i < count; i++)); do
  begin=$EPOCHREALTIME
  said=$("$@" "cooper-bench-$$-$i") || exit
  end=\${said:-$EPOCHREALTIME}
  echo $(((\${end/[.,]/} - \${begin/[.,]/})))
done`;
const programs = { silent: ['/bin/sh', '-c', 'true'], telling: ['/bin/sh', '-c', 'echo $EPOCHREALTIME'] };

/** crun refuses a mixture of both versions of cgroups: it gets the second alone, in a mount namespace of its own. */
const secondVersionOnly = 'umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$@"';

/** Those that are installed. */
export function runtimes(workspace: Workspace): readonly Runtime[] {
  const found: Runtime[] = [];
  for (const program of ['runc', 'crun']) {
    if (spawnSync(program, ['--version']).error) continue;
    const inside = program === 'crun' ? ['unshare', '--mount', 'sh', '-c', secondVersionOnly, 'sh'] : [];
    const times = (kind: keyof typeof programs, count: number): readonly number[] => {
      const bundle = workspace.folder(`${program}-${kind}`);
      const command = [program, '--root', workspace.folder(`${program}-root`), 'run', '--bundle', bundle];
      const [first = '', ...rest] = [...inside, 'bash', '-c', loop, 'bash', `${count}`, ...command];
      return call(first, rest)
        .trim()
        .split('\n')
        .map((microseconds) => Number(microseconds) / 1000);
    };
    for (const kind of ['silent', 'telling'] as const) makeBundle(workspace, program, kind);
    found.push({ name: `\`${program} run\``, timesMs: (count) => times('silent', count), wordsMs: (count) => times('telling', count) });
  }
  return found;
}

/** With the configuration that the runtime itself proposes, but for limits and rules of devices, which not every machine lets it set. */
function makeBundle(workspace: Workspace, program: string, kind: keyof typeof programs): void {
  const bundle = workspace.folder(`${program}-${kind}`);
  call('sh', ['-c', 'cd "$1" && "$2" spec', 'sh', bundle, program]);
  const path = join(bundle, 'config.json');
  const config = JSON.parse(readFileSync(path, 'utf8'));
  config.process.terminal = false;
  config.process.args = programs[kind];
  delete config.process.rlimits;
  delete config.linux.resources;
  config.root = { path: workspace.base, readonly: true };
  writeFileSync(path, JSON.stringify(config));
}
