import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const top = '/sys/fs/cgroup';

/** Whether memory is a matter of version 1 here. */
export const isVersion1: boolean = readdirSync(top).includes('memory');

/** All cgroups of the machine whose path has this text, in every tree. */
export function cgroupsWith(text: string, folder = top): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) continue;
    if (entry.name.includes(text)) found.push(path);
    try {
      found.push(...cgroupsWith(text, path));
    } catch {
      // It has gone in the meantime.
    }
  }
  return found;
}

/** A cgroup with a limit of memory, for what is to be started in it by `sh -c "echo $$ >procs && exec …"`. Needs root. */
export function makeMemoryGroup(name: string, bytes: number): AsyncDisposable & { readonly procs: string } {
  const path = join(memoryTree(), name);
  mkdirSync(path);
  writeFileSync(join(path, isVersion1 ? 'memory.limit_in_bytes' : 'memory.max'), `${bytes}`);
  return {
    procs: join(path, 'cgroup.procs'),
    async [Symbol.asyncDispose]() {
      // A process that has been reaped may still count for a moment.
      for (;;) {
        try {
          return rmdirSync(path);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
          await sleep(10);
        }
      }
    },
  };
}

/** Version 1: where we are, so that a limit of ours counts too. Version 2: the root, which alone may have processes and children. */
function memoryTree(): string {
  if (!isVersion1) return top;
  const own = readFileSync('/proc/self/cgroup', 'utf8').match(/:memory:(.*)/)?.[1] ?? '/';
  return join(top, 'memory', own);
}
