import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { maxSecretBytes, readSecrets } from '../../src/context/secrets.ts';
import { BuildError } from '../../src/diagnostics/build-error.ts';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cooper-secrets-'));
});
after(() => rm(folder, { recursive: true }));

test('readSecrets: values, and files byte for byte', async () => {
  const file = join(folder, 'key');
  const bytes = Buffer.from([0, 255, 10, 13, 128]);
  await writeFile(file, bytes);
  const secrets = await readSecrets([
    { id: 'key', source: { file } },
    { id: 'token', source: { value: 'tökén\n' } },
  ]);
  assert.deepEqual(
    [...secrets],
    [
      ['key', bytes],
      ['token', Buffer.from('tökén\n')],
    ],
  );
});

test('readSecrets: of two with one id the last counts', async () => {
  const secrets = await readSecrets([
    { id: 'a', source: { value: '1' } },
    { id: 'a', source: { value: '2' } },
  ]);
  assert.deepEqual([...secrets], [['a', Buffer.from('2')]]);
});

test('readSecrets: 500 KiB are read, a byte more is refused', async () => {
  const file = join(folder, 'large');
  await writeFile(file, Buffer.alloc(maxSecretBytes, 'x'));
  assert.equal((await readSecrets([{ id: 'a', source: { file } }])).get('a')?.length, 512_000);
  await writeFile(file, Buffer.alloc(maxSecretBytes + 1));
  await assert.rejects(readSecrets([{ id: 'a', source: { file } }]), isMissing);
  await assert.rejects(readSecrets([{ id: 'a', source: { value: 'x'.repeat(maxSecretBytes + 1) } }]), isMissing);
});

for (const file of ['/nowhere/at/all', '/proc', '/dev/zero']) {
  test(`readSecrets: "${file}" is refused`, () => assert.rejects(readSecrets([{ id: 'a', source: { file } }]), isMissing));
}

const isMissing = (error: unknown): boolean => error instanceof BuildError && error.code === 'SECRET_MISSING';
