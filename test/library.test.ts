import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BuildError, build } from 'cooper';

// The package as its users import it: the bundle that set-up makes, by the name in package.json.

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cooper-library-'));
  await copyFile('/bin/busybox', join(folder, 'busybox'));
});
after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

test('build gives typed events and the digest of the image', async () => {
  await writeFile(join(folder, 'Dockerfile'), 'FROM scratch\nCOPY busybox /bin/busybox\n');
  const running = build({ context: folder, root: join(folder, 'store'), tags: ['library-test'] });
  const types: string[] = [];
  for await (const event of running) types.push(event.type);
  const { digest, tags } = await running.result;
  assert.match(digest, /^sha256:[0-9a-f]{64}$/);
  assert.deepEqual(tags, ['docker.io/library/library-test:latest']);
  assert.deepEqual([types[0], types[1], types.at(-1)], ['build.started', 'plan', 'build.completed']);
});

test('a failure is a BuildError with its place', async () => {
  await writeFile(join(folder, 'Dockerfile'), 'FROM scratch\nCOPY nothing /\n');
  await assert.rejects(build({ context: folder, root: join(folder, 'store') }).result, (error) => {
    assert.ok(error instanceof BuildError);
    assert.deepEqual([error.code, error.range?.start.line, error.range?.start.column], ['COPY_SOURCE_MISSING', 2, 6]);
    return true;
  });
});
