import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { isArchive, peek } from './stream-head.ts';

/** Bytes of an archive, unpacked, that are read through at most. */
const maxBytes = 16 * 1024 ** 3;

/**
 * The newest mtime of the regular files in a tar (plain, gzip, zstd), in seconds; undefined for anything else, and for one that is damaged:
 * a file need not be an archive.
 */
export async function newestInArchive(stream: Readable, signal: AbortSignal): Promise<number | undefined> {
  const { head, all } = await peek(stream);
  if (!isArchive(head)) return undefined;
  let newest: number | undefined;
  const tar = extract();
  tar.on('entry', ({ type, mtime }: Header, content, next) => {
    if (type === 'file' && mtime) newest = Math.max(newest ?? Number.NEGATIVE_INFINITY, Math.floor(mtime.getTime() / 1000));
    content.on('end', next);
    content.resume();
  });
  let left = maxBytes;
  const into = new Writable({
    write(chunk: Buffer, _encoding, done) {
      left -= chunk.length;
      if (left < 0) done(new Error('the archive is too large'));
      else if (tar.write(chunk)) done();
      else tar.once('drain', () => done());
    },
    final: (done) => tar.end(() => done()),
  });
  tar.on('error', (error: Error) => into.destroy(error));
  const unpack = decompressorOf(head);
  try {
    const source = Readable.from(all, { objectMode: false });
    await (unpack ? pipeline(source, unpack, into, { signal }) : pipeline(source, into, { signal }));
    return newest;
  } catch {
    // Not an archive after all: then it has no time.
    signal.throwIfAborted();
    return undefined;
  } finally {
    stream.destroy();
  }
}

function decompressorOf(head: Buffer) {
  if (head.subarray(0, 2).equals(Buffer.from([0x1f, 0x8b]))) return createGunzip();
  if (head.subarray(0, 4).equals(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]))) return createZstdDecompress();
  return undefined;
}
