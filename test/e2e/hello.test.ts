import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { compileHello } from '../../scripts/hello.ts';
import { type Cooper, copyFixture, makeCooper } from '../support/cooper.ts';
import { tool } from '../support/tools.ts';
import { assertValid } from '../support/valid.ts';

async function helloContext(cooper: Cooper): Promise<string> {
  const context = await copyFixture(cooper, 'hello');
  compileHello(context);
  return context;
}

test('hello, FROM scratch, is built and run', async () => {
  await using cooper = await makeCooper();
  const context = await helloContext(cooper);
  const built = await cooper.built(['-t', 'hello', context]);
  assert.deepEqual(built.ran, ['COPY hello /hello']);
  await assertValid(cooper.root, 'hello');
  assert.equal(await cooper.ok(['run', '--rm', 'hello']), 'hello from a container that cooper made\n');
});

test('a second build runs nothing and gives the same digest, in every place that a digest is told', async () => {
  await using cooper = await makeCooper();
  const context = await helloContext(cooper);
  const { digest } = await cooper.built(['-t', 'hello', context]);
  const quiet = await cooper.ok(['build', '-q', '-t', 'hello', '--iidfile', 'iid', '--metadata-file', 'metadata', context]);
  assert.equal(quiet, `${digest}\n`);
  assert.equal(await readFile(join(cooper.directory, 'iid'), 'utf8'), digest);
  const metadata = JSON.parse(await readFile(join(cooper.directory, 'metadata'), 'utf8'));
  assert.equal(metadata['containerimage.digest'], digest);
  assert.equal(await cooper.ok(['images', '-q', 'hello']), `${digest}\n`);
  const [inspected] = JSON.parse(await cooper.ok(['inspect', 'hello']));
  assert.equal(inspected.Id, digest);
  assert.equal(metadata['containerimage.config.digest'], inspected.ConfigDigest);
  assert.deepEqual((await cooper.built([context])).ran, []);
});

test('skopeo reads the store, and the archives of both kinds, with the same config', async () => {
  await using cooper = await makeCooper();
  const context = await helloContext(cooper);
  const oci = join(cooper.directory, 'oci.tar');
  const docker = join(cooper.directory, 'docker.tar');
  const { digest } = await cooper.built(['-t', 'hello:1', '-o', `type=oci,dest=${oci}`, '-o', `type=docker,dest=${docker}`, context]);
  const inStore = JSON.parse(await tool('skopeo', ['inspect', `oci:${cooper.root}:docker.io/library/hello:1`]));
  assert.equal(inStore.Digest, digest);
  assert.equal(JSON.parse(await tool('skopeo', ['inspect', `oci-archive:${oci}`])).Digest, digest);
  const configs = await Promise.all(
    [`oci:${cooper.root}:docker.io/library/hello:1`, `oci-archive:${oci}`, `docker-archive:${docker}`].map((name) =>
      tool('skopeo', ['inspect', '--config', name]),
    ),
  );
  for (const config of configs) assert.deepEqual(JSON.parse(config).rootfs, JSON.parse(configs[0] ?? '').rootfs);
  assert.deepEqual(JSON.parse(configs[0] ?? '').config.Cmd, ['/hello']);
});

test('an archive can go to standard output', async () => {
  await using cooper = await makeCooper();
  const context = await helloContext(cooper);
  await tool('sh', [
    '-c',
    '"$1" build --root "$2" -o type=oci,dest=- "$3" >"$4"',
    'sh',
    binCooper,
    cooper.root,
    context,
    join(cooper.directory, 'x.tar'),
  ]);
  const inspected = JSON.parse(await tool('skopeo', ['inspect', `oci-archive:${join(cooper.directory, 'x.tar')}`]));
  assert.equal(inspected.Layers.length, 1);
});

test('a directory as output holds the files', async () => {
  await using cooper = await makeCooper();
  const context = await helloContext(cooper);
  await cooper.ok(['build', '-o', join(cooper.directory, 'out'), context]);
  const hello = join(cooper.directory, 'out/hello');
  assert.equal((await stat(hello)).mode & 0o777, (await stat(join(context, 'hello'))).mode & 0o777);
  assert.equal(await tool(hello, []), 'hello from a container that cooper made\n');
});

test('it works through a symbolic link and from anywhere', async () => {
  await using cooper = await makeCooper();
  const link = join(cooper.directory, 'barrel');
  await tool('ln', ['-s', binCooper, link]);
  assert.match(await tool('sh', ['-c', 'cd / && exec "$1" version', 'sh', link]), /\d+\.\d+\.\d+/);
});

const binCooper = join(import.meta.dirname, '../../bin/cooper');
