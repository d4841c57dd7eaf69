import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../../src/oci/digest.ts';
import type { Cooper } from './cooper.ts';

/** After whatever went wrong: the next build works, nothing temporary of the old one is left, and every blob is what its name says. */
export async function assertIntact(cooper: Cooper): Promise<void> {
  const before = entries(cooper.root, 'tmp');
  const context = await cooper.context('intact', { Dockerfile: 'FROM scratch\nCOPY a /\n', a: 'a\n' });
  await cooper.built(['-t', 'intact', context]);
  const left = entries(cooper.root, 'tmp').filter((name) => before.includes(name));
  assert.deepEqual(left, [], 'temporary files of a command that is gone');
  for (const name of entries(cooper.root, 'blobs/sha256')) {
    assert.equal(digestOf(await readFile(join(cooper.root, 'blobs/sha256', name))), `sha256:${name}`);
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
