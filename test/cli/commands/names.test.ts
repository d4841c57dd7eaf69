import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { putImage } from '../../support/images.ts';
import { temporaryFolder, temporaryStore } from '../../support/store.ts';
import { runCli } from '../caller.ts';

// What is refused before a worker is needed. The commands themselves are in test/e2e.
for (const { name, args, status, code } of [
  { name: 'tag of an image that is not there', args: ['tag', 'nope', 'x'], status: 1, code: 'IMAGE_NOT_FOUND' },
  { name: 'tag with a bad name', args: ['tag', 'nope', 'Not A Name'], status: 2, code: 'REFERENCE_INVALID' },
  { name: 'tag with one name', args: ['tag', 'nope'], status: 2, code: 'ARG_INVALID' },
  { name: 'rmi of an image that is not there', args: ['rmi', 'nope'], status: 1, code: 'IMAGE_NOT_FOUND' },
  { name: 'push of an image that is not there', args: ['push', 'nope'], status: 1, code: 'IMAGE_NOT_FOUND' },
  { name: 'push of a bad name', args: ['push', 'Not A Name'], status: 2, code: 'REFERENCE_INVALID' },
  { name: 'pull of two platforms', args: ['pull', '--platform', 'linux/amd64,linux/arm64', 'x'], status: 1, code: 'UNSUPPORTED' },
] as const) {
  test(`${name} makes no store`, async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'store');
    const outcome = await runCli([...args, '--root', root]);
    assert.deepEqual({ status: outcome.status, stdout: outcome.stdout }, { status, stdout: '' });
    assert.match(outcome.stderr, new RegExp(`^error: .* \\[${code}\\]\n`));
    assert.equal(existsSync(root), false);
  });
}

test('rmi --force takes what is not there as gone', async () => {
  await using folder = await temporaryFolder();
  assert.deepEqual(await runCli(['rmi', '-f', 'nope', '--root', folder.path]), { status: 0, stdout: '', stderr: '' });
});

test('rmi of a digest with several names asks which', async () => {
  await using made = await temporaryStore();
  const image = await putImage(made.store, ['one']);
  for (const name of ['docker.io/library/app:1', 'docker.io/library/app:2']) await made.store.refs.set(name, image);
  const { status, stderr } = await runCli(['rmi', image.digest, '--root', made.store.root]);
  assert.equal(status, 2);
  assert.match(stderr, /has 2 names \[ARG_INVALID\]/);
  assert.equal((await made.store.refs.list()).length, 2);
});
