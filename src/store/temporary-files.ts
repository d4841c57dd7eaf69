import { randomBytes } from 'node:crypto';
import { type FileHandle, link, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno, storing } from './store-error.ts';

/**
 * Files on their way into the store. They are written in `tmp/<lease>`, which is swept when the lease's holder is dead, and appear under
 * their real name by one rename: nobody sees half a file.
 */
export class TemporaryFiles {
  readonly #directory: string;

  /** `temporary` is relative to the root: `tmp/<lease>`. */
  constructor(root: string, temporary: string) {
    if (!/^tmp\/[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(temporary)) throw new TypeError(`not a temporary folder of a store: "${temporary}"`);
    this.#directory = join(root, temporary);
  }

  async prepare(): Promise<void> {
    await storing('make its temporary folder', () => mkdir(this.#directory, { recursive: true, mode: 0o700 }));
  }

  async create(mode = 0o644): Promise<TemporaryFile> {
    const path = join(this.#directory, `file-${process.pid}-${randomBytes(8).toString('hex')}`);
    return new TemporaryFile(path, await storing('make a temporary file', () => open(path, 'wx', mode)));
  }

  /** An empty folder, for what is more than one file. */
  async createFolder(): Promise<TemporaryFolder> {
    const path = join(this.#directory, `folder-${process.pid}-${randomBytes(8).toString('hex')}`);
    await storing('make a temporary folder', () => mkdir(path, { mode: 0o700 }));
    return new TemporaryFolder(path);
  }

  /** Makes or replaces `target`. With `sync` the bytes are on the disk before the name is. */
  async write(target: string, content: string | Uint8Array, { sync }: { sync: boolean }): Promise<void> {
    await using file = await this.create();
    await file.write(content);
    if (sync) await file.sync();
    await file.moveTo(target);
  }

  /** Makes `target` unless it is there; false when it is. */
  async writeNew(target: string, content: string, { mode = 0o644 } = {}): Promise<boolean> {
    await using file = await this.create(mode);
    await file.write(content);
    // Awaited here: the file is removed at the end of this scope.
    return await file.linkTo(target);
  }
}

/** One file that is being written. Disposing of it removes what was not moved. */
export class TemporaryFile implements AsyncDisposable {
  readonly #path: string;
  readonly #handle: FileHandle;
  #moved = false;

  constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  /** Appends. */
  async write(content: string | Uint8Array): Promise<void> {
    await storing('write a file', () => this.#handle.writeFile(content));
  }

  async sync(): Promise<void> {
    await storing('write a file to the disk', () => this.#handle.sync());
  }

  async moveTo(target: string): Promise<void> {
    await storing('name a file', () => rename(this.#path, target));
    this.#moved = true;
  }

  /** False when `target` exists. */
  async linkTo(target: string): Promise<boolean> {
    try {
      await link(this.#path, target);
      return true;
    } catch (error) {
      if (isErrno(error, 'EEXIST')) return false;
      return storing('name a file', () => Promise.reject(error));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
    if (!this.#moved) await rm(this.#path, { force: true });
  }
}

/** A folder that is being filled. Disposing of it removes it with all that is still in it. */
export class TemporaryFolder implements AsyncDisposable {
  /** Absolute. */
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Moves a folder in it to `target`, unless that is there. */
  async moveNew(folder: string, target: string): Promise<void> {
    await storing('name a folder', () => rename(folder, target)).catch((error) => {
      // Somebody else was first.
      if (!isErrno(error.cause, 'EEXIST') && !isErrno(error.cause, 'ENOTEMPTY')) throw error;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  await storing('write a folder to the disk', async () => {
    await using directory = await open(path, 'r');
    await directory.sync();
  });
}
