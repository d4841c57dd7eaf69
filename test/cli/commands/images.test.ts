import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { test } from 'node:test';
import { putImage } from '../../support/images.ts';
import { temporaryFolder, temporaryStore } from '../../support/store.ts';
import { runCli } from '../caller.ts';

test('images, inspect, history: an empty store', async () => {
  await using folder = await temporaryFolder();
  const root = ['--root', folder.path];
  assert.deepEqual(await runCli(['images', ...root]), { status: 0, stdout: 'REPOSITORY   TAG   DIGEST   CREATED   SIZE\n', stderr: '' });
  assert.deepEqual(await runCli(['images', '-q', ...root]), { status: 0, stdout: '', stderr: '' });
  assert.deepEqual(await runCli(['images', '--json', ...root]), { status: 0, stdout: '[]\n', stderr: '' });
  for (const command of ['inspect', 'history']) {
    const { status, stdout, stderr } = await runCli([command, 'nope', ...root]);
    assert.deepEqual({ status, stdout }, { status: 1, stdout: '' });
    assert.match(stderr, /\[IMAGE_NOT_FOUND\]/);
  }
});

test('images: each name has a row, digests come once', async () => {
  await using made = await temporaryStore();
  const { store } = made;
  const image = await putImage(store, ['one', 'two']);
  for (const name of ['docker.io/library/app:1', 'docker.io/library/app:2', 'localhost:5000/x/y:latest']) await store.refs.set(name, image);
  const list = async (...args: string[]) => (await runCli(['images', '--root', store.root, ...args])).stdout;
  const rows = (await list())
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {3,}/).slice(0, 3));
  const short = image.digest.slice(7, 19);
  assert.deepEqual(rows, [
    ['REPOSITORY', 'TAG', 'DIGEST'],
    ['app', '1', short],
    ['app', '2', short],
    ['localhost:5000/x/y', 'latest', short],
  ]);
  assert.equal(await list('-q'), `${image.digest}\n`);
  const tagsOf = async (filter: string) => JSON.parse(await list('--json', filter)).map(({ tag }: { tag: string }) => tag);
  assert.deepEqual(await tagsOf('app'), ['1', '2']);
  assert.deepEqual(await tagsOf('app:2'), ['2']);
  assert.deepEqual(await tagsOf('app:latest'), []);
});

test('images: a damaged image is said to be one, the others are listed', async () => {
  await using made = await temporaryStore();
  const { store } = made;
  const [good, bad] = [await putImage(store, ['one']), await putImage(store, ['two'])];
  await store.refs.set('docker.io/library/good:1', good);
  await store.refs.set('docker.io/library/bad:1', bad);
  await rm(store.blobs.path(bad.digest));
  const { status, stdout, stderr } = await runCli(['images', '--root', store.root]);
  assert.equal(status, 0);
  assert.match(stdout, /^good .*B$/m);
  assert.match(stdout, /^bad .* - +-$/m);
  assert.match(stderr, /^warning: "docker.io\/library\/bad:1": the store has no blob/);
});

test('inspect: the keys of Docker, with what the image has', async () => {
  await using made = await temporaryStore();
  const { store } = made;
  const image = await putImage(store, ['one', 'two']);
  for (const name of ['docker.io/library/app:1', 'docker.io/library/app:2']) await store.refs.set(name, image);
  const { status, stdout } = await runCli(['inspect', 'app:1', '--root', store.root]);
  assert.equal(status, 0);
  const manifest = JSON.parse((await store.blobs.readBytes(image.digest, 1e6)).toString());
  const config = JSON.parse((await store.blobs.readBytes(manifest.config.digest, 1e6)).toString());
  const [found] = JSON.parse(stdout);
  assert.deepEqual(found, {
    Id: image.digest,
    RepoTags: ['app:1', 'app:2'],
    RepoDigests: [`app@${image.digest}`],
    Author: '',
    Config: { Cmd: ['/file-0'] },
    Architecture: 'amd64',
    Os: 'linux',
    Size: manifest.config.size + manifest.layers[0].size + manifest.layers[1].size,
    RootFS: { Type: 'layers', Layers: config.rootfs.diff_ids },
    Descriptor: image,
    ConfigDigest: manifest.config.digest,
  });
});

test('history: the last step first, each with the size of its layer', async () => {
  await using made = await temporaryStore();
  const { store } = made;
  const image = await putImage(store, ['one', Buffer.alloc(5000, 'x')]);
  await store.refs.set('docker.io/library/app:latest', image);
  const { layers } = JSON.parse((await store.blobs.readBytes(image.digest, 1e6)).toString());
  const { stdout } = await runCli(['history', 'app', '--json', '--root', store.root]);
  assert.deepEqual(JSON.parse(stdout), [
    { created: '2024-01-02T03:04:05Z', createdBy: 'layer 1', size: layers[1].size, comment: '' },
    { created: '2024-01-02T03:04:05Z', createdBy: 'layer 0', size: layers[0].size, comment: '' },
  ]);
  const table = await runCli(['history', 'app', '--root', store.root]);
  assert.match(table.stdout, /^CREATED +CREATED BY +SIZE +COMMENT\n\d+ \w+ ago +layer 1 +\d+B\n\d+ \w+ ago +layer 0 +\d+B\n$/);
});
