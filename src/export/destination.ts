import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Pack } from 'tar-stream';
import { BuildError } from '../diagnostics/build-error.ts';

/**
 * Writes an archive to a file (absolute path) or into an open stream, which is left open. A file appears by rename when it is whole; a
 * pipe or a device is written to as it is. Throws EXPORT_FAILED.
 */
export async function writeArchive(archive: Pack, destination: string | Writable, signal?: AbortSignal): Promise<void> {
  if (typeof destination !== 'string')
    return writing('the output', () => pipeline(archive, destination, { end: false, ...(signal && { signal }) }));
  const found = await stat(destination).catch(() => undefined); // What is not there, or not seen, is made; that tells what is wrong.
  if (found?.isDirectory()) {
    throw new BuildError('EXPORT_FAILED', `"${destination}" is a directory`, { hint: 'give the name of the archive: dest=image.tar' });
  }
  const direct = found !== undefined && !found.isFile();
  const path = direct
    ? destination
    : join(dirname(destination), `.${basename(destination).slice(0, 200)}.${randomBytes(6).toString('hex')}`);
  await writing(`"${destination}"`, async () => {
    try {
      await pipeline(archive, createWriteStream(path), { ...(signal && { signal }) });
      if (!direct) await rename(path, destination);
    } catch (error) {
      if (!direct) await rm(path, { force: true });
      throw error;
    }
  });
}

async function writing(what: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (cause) {
    if (!(cause instanceof Error) || !('syscall' in cause)) throw cause;
    throw new BuildError('EXPORT_FAILED', `cannot write ${what}: ${cause.message}`, {
      cause,
      hint: 'check that the folder is there, that you may write to it, and that the disk has room',
    });
  }
}
