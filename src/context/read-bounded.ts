import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/**
 * The bytes of a file, a pipe or a device; undefined when there are more than `maxBytes`. No more than that is ever read, whatever its
 * size is said to be.
 */
export async function readBounded(path: string, maxBytes: number): Promise<Buffer | undefined> {
  await using handle = await open(path, 'r');
  return await readHandle(handle, maxBytes);
}

/**
 * The same of a file that lies where somebody else may have put it: a pipe there would never end, and hold the process, and a device might
 * do anything. What the shell gives in place of a file (`<(…)`) is the user's own.
 */
export async function readBoundedFile(path: string, maxBytes: number): Promise<Buffer | undefined> {
  if (/^\/(?:dev|proc)\//.test(path)) return readBounded(path, maxBytes);
  // Without waiting for the other end of a pipe; for a file it means nothing.
  await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const stats = await handle.stat();
  if (stats.isFile() || stats.isDirectory()) return await readHandle(handle, maxBytes);
  throw new Error('it is a pipe or a device');
}

async function readHandle(handle: FileHandle, maxBytes: number): Promise<Buffer | undefined> {
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
