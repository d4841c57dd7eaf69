import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { newestInArchive } from '../../src/context/archive-time.ts';

const signal = new AbortController().signal;

async function archive(): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name: 'a', mtime: new Date(1000_000) }, 'x'.repeat(100_000));
  tar.entry({ name: 'b', mtime: new Date(3000_000) }, 'y');
  // A directory has no say.
  tar.entry({ name: 'd', type: 'directory', mtime: new Date(9000_000) });
  tar.entry({ name: 'c', mtime: new Date(2000_000) }, 'z');
  tar.finalize();
  return buffer(tar);
}

const tar = await archive();
for (const [name, bytes, want] of [
  ['a tar', tar, 3000],
  ['a gzipped tar', gzipSync(tar), 3000],
  ['a tar by zstd', zstdCompressSync(tar), 3000],
  ['a text', Buffer.from('hello'), undefined],
  ['nothing', Buffer.alloc(0), undefined],
  ['a gzipped text', gzipSync('hello'), undefined],
  ['a gzip that is cut', gzipSync(tar).subarray(0, 100), undefined],
  ['a tar of nothing but zeros', Buffer.alloc(1024), undefined],
] as const) {
  test(`the newest file of ${name}`, async () => {
    assert.equal(await newestInArchive(Readable.from([bytes], { objectMode: false }), signal), want);
  });
}
