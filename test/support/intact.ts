import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../../src/oci/digest.ts';
import type { Cooper } from './cooper.ts';

/**
 * After whatever went wrong: the next build works, nothing temporary of the old one is left, and every blob is what its name says. `root`: where the
 * store is to be seen, if not at its own path.
 */
export async function assertIntact(cooper: Cooper, root = cooper.root): Promise<void> {
  const before = entries(root, 'tmp');
  const context = await cooper.context('intact', { Dockerfile: 'FROM scratch\nCOPY a /\n', a: 'a\n' });
  await cooper.built(['-t', 'intact', context]);
  const left = entries(root, 'tmp').filter((name) => before.includes(name));
  assert.deepEqual(left, [], 'temporary files of a command that is gone');
  for (const name of entries(root, 'blobs/sha256')) {
    assert.equal(digestOf(await readFile(join(root, 'blobs/sha256', name))), `sha256:${name}`);
  }
  assert.deepEqual(mountsBelow(cooper.directory), []);
}

function entries(root: string, folder: string): string[] {
  try {
    return readdirSync(join(root, folder));
  } catch {
    return []; // Wrong usage makes no store.
  }
}

/** Mounts of this machine at or below a path, or of something below it. */
export function mountsBelow(path: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(path));
}
