import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** A builder as the benchmarks need it. */
export interface Builder {
  readonly name: string;
  /** Builds and gives a name to the image; gives all that was said. Throws when it fails. */
  readonly build: (dockerfile: string, context: string, tag: string) => string;
  /** How many steps the cache answered, by what was said. */
  readonly cachedSteps: (said: string) => number;
}

/** What came to standard output and error. Throws when the program fails. */
export function call(program: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
  return stdout + stderr;
}

/** The command as it is installed: the process, its start and its end are measured too. */
export function cooper(directory: string): Builder {
  const root = join(directory, 'cooper');
  const program = join(import.meta.dirname, '../bin/cooper');
  return {
    name: 'cooper',
    build: (dockerfile, context, tag) =>
      call(program, ['build', '--root', root, '--progress', 'plain', '-t', tag, '-f', dockerfile, context]),
    cachedSteps: (said) => said.match(/^#\d+ CACHED$/gm)?.length ?? 0,
  };
}

/** With a store of its own, so that nothing of the machine's is touched or found. Isolation chroot is its quickest. */
export function buildah(directory: string, driver: StorageDriver): Builder {
  const where = ['--root', join(directory, `buildah-${driver}`), '--runroot', join(directory, `buildah-${driver}-run`)];
  return {
    name: `buildah (${driver}, chroot)`,
    build: (dockerfile, context, tag) =>
      call('buildah', [
        ...where,
        ...['--storage-driver', driver, 'bud', '--layers', '--pull=false', '--isolation', 'chroot'],
        ...['-t', tag, '-f', dockerfile, context],
      ]),
    cachedSteps: (said) => said.match(/^--> Using cache /gm)?.length ?? 0,
  };
}

export type StorageDriver = 'overlay' | 'vfs';
