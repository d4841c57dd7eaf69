import { open } from 'node:fs/promises';

/**
 * The bytes of a file, a pipe or a device; undefined when there are more than `maxBytes`. No more than that is ever read, whatever its
 * size is said to be.
 */
export async function readBounded(path: string, maxBytes: number): Promise<Buffer | undefined> {
  await using handle = await open(path, 'r');
  const chunks: Buffer[] = [];
  let length = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafe(Math.min(64 * 1024, maxBytes + 1 - length));
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, null);
    if (bytesRead === 0) return Buffer.concat(chunks);
    chunks.push(chunk.subarray(0, bytesRead));
    length += bytesRead;
    if (length > maxBytes) return undefined;
  }
}
