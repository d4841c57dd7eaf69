import assert from 'node:assert/strict';
import { chown, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Installation } from './cooper.ts';

/** Files of the machine that no image may read, write or remove; the user of the installation may. */
export interface Canary extends AsyncDisposable {
  readonly path: string;
  /** Throws when anything below it has changed. */
  assertUntouched(): Promise<void>;
}

/** Names that builders make or remove in a `/dev`, or for a mount; empty, because only such are removed as if they were ours. */
const emptyFiles = ['null', 'ptmx', 'stdin', 'empty', 'hosts', 'x', 'fd'];
const emptyFolders = ['pts', 'shm', 'sub'];

export async function makeCanary({ temporary, owner }: Installation): Promise<Canary> {
  const path = await mkdtemp(join(temporary, 'cooper-canary-'));
  await writeFile(join(path, 'file'), 'the canary sings\n');
  await writeFile(join(path, 'passwd'), 'spy:x:1234:1234::/:/bin/sh\n');
  for (const name of emptyFiles) await writeFile(join(path, name), '');
  for (const name of emptyFolders) await mkdir(join(path, name));
  if (owner) for (const name of ['.', ...(await readdir(path))]) await chown(join(path, name), owner.uid, owner.gid);
  const before = await describe(path);
  return {
    path,
    assertUntouched: async () => assert.deepEqual(await describe(path), before),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** A line for each file: all but the time of the last access. */
async function describe(path: string): Promise<string[]> {
  const names = await readdir(path, { recursive: true });
  const lines = ['', ...names.toSorted()].map(async (name) => {
    const at = join(path, name);
    const stat = await lstat(at);
    const content = stat.isFile() ? await readFile(at, 'utf8') : stat.isSymbolicLink() ? await readlink(at) : '';
    return [name, stat.mode.toString(8), stat.uid, stat.gid, stat.nlink, stat.mtimeMs, content].join(' ');
  });
  return Promise.all(lines);
}
