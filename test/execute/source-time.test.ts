import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { pack } from 'tar-stream';
import type { ImageConfig } from '../../src/oci/image-config.ts';
import { environment, usualRepository } from '../support/add.ts';
import { file, fileServer } from '../support/file-server.ts';
import { gitServer } from '../support/git-server.ts';
import { makeBench } from '../support/library.ts';

// What SOURCE_DATE_EPOCH is where it names a stage with one remote ADD: a label shows it.

const dockerfile = (url: string) => `FROM scratch AS source
ADD ${url} /
FROM scratch
ARG SOURCE_DATE_EPOCH
LABEL epoch=\${SOURCE_DATE_EPOCH:-none}
`;

/** The label of the image, and the codes of warnings. */
async function built(url: string): Promise<readonly [string | undefined, readonly string[]]> {
  await using bench = await makeBench({ Dockerfile: dockerfile(url) });
  const { result, events } = await bench.built({ buildArgs: { SOURCE_DATE_EPOCH: 'source' }, environment });
  const warnings = events.flatMap((event) => (event.type === 'warning' ? (event.code ?? []) : []));
  const config = JSON.parse(await readFile(join(bench.root, 'blobs', result.configDigest.replace(':', '/')), 'utf8')) as ImageConfig;
  return [config.config?.Labels?.epoch, warnings];
}

test('a file of a URL has the time that the server says', async () => {
  await using server = await fileServer();
  server.paths.set('/f', file('x', { 'last-modified': 'Wed, 01 Jan 2020 02:03:04 GMT' }));
  assert.deepEqual(await built(`${server.url}/f`), ['1577844184', []]);
});

test('where it says none, an archive has the time of its newest file', async () => {
  await using server = await fileServer();
  const tar = pack();
  tar.entry({ name: 'a', mtime: new Date(5_000_000) }, 'x');
  tar.finalize();
  server.paths.set('/f', file(await buffer(tar)));
  assert.deepEqual(await built(`${server.url}/f`), ['5000', []]);
});

test('anything else has none, and that is said', async () => {
  await using server = await fileServer();
  server.paths.set('/f', file('x'));
  assert.deepEqual(await built(`${server.url}/f`), ['none', ['SourceDateEpochUnknown']]);
});

test('a repository has the time of its commit', async () => {
  await using git = await gitServer();
  await usualRepository(git);
  assert.deepEqual(await built(git.address('r')), ['1500000001', []]);
});
