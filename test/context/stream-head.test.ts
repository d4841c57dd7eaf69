import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { isArchive, peek } from '../../src/context/stream-head.ts';
import { tarOf } from '../support/tar.ts';

const tar = await tarOf({ name: 'Dockerfile', text: 'text' });
const damaged = Buffer.from(tar);
damaged[0] = 'X'.charCodeAt(0);

for (const { name, bytes, want } of [
  { name: 'a tar', bytes: tar, want: true },
  { name: 'a tar of a long name', bytes: await tarOf({ name: `${'d/'.repeat(200)}file`, text: 'text' }), want: true },
  { name: 'a tar with another checksum', bytes: damaged, want: false },
  { name: 'half a header', bytes: tar.subarray(0, 300), want: false },
  { name: 'gzip', bytes: gzipSync(tar), want: true },
  { name: 'zstd', bytes: zstdCompressSync(tar), want: true },
  { name: 'the beginning of bzip2', bytes: Buffer.from('BZh91AY&SY'), want: true },
  { name: 'the beginning of xz', bytes: Buffer.from('fd377a585a0000', 'hex'), want: true },
  { name: 'a Dockerfile', bytes: Buffer.from(`FROM scratch\n${'# comment\n'.repeat(100)}`), want: false },
  { name: 'an empty tar', bytes: Buffer.alloc(1024), want: false },
  { name: 'nothing', bytes: Buffer.alloc(0), want: false },
  { name: 'a zip', bytes: Buffer.from('504b0304', 'hex'), want: false },
]) {
  test(`${name} is ${want ? 'an' : 'no'} archive`, () => assert.equal(isArchive(bytes), want));
}

test('what is looked at is still there', async () => {
  const pieces = ['a', 'b'.repeat(400), 'c'.repeat(400), 'd'].map((text) => Buffer.from(text));
  const { head, all } = await peek(Readable.from(pieces));
  assert.ok(head.length >= 512);
  assert.deepEqual(Buffer.concat(await Readable.from(all).toArray()), Buffer.concat(pieces));
  assert.equal((await peek(Readable.from([]))).head.length, 0);
});
