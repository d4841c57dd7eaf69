import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, hexOf } from '../oci/digest.ts';
import { readSealed, sealed } from './checked-file.ts';
import { ifThere, storing } from './store-error.ts';
import type { TemporaryFiles, TemporaryFolder } from './temporary-files.ts';

/** Where fetched files come from: one folder of the store for each. */
export type FetchedKind = 'http' | 'git';

/**
 * What was fetched for builds: folders that appear whole by one rename and never change, named by digests of ours, and notes on what was
 * fetched last. Several processes may fetch the same: the first one to be done counts.
 */
export class FetchedFolders {
  readonly #root: string;
  readonly #temporary: TemporaryFiles;
  #boot: Promise<string> | undefined;

  constructor(root: string, temporary: TemporaryFiles) {
    this.#root = root;
    this.#temporary = temporary;
  }

  /** The folder of this name, if it is there. */
  async find(kind: FetchedKind, name: Digest): Promise<string | undefined> {
    const path = await this.#path(kind, name);
    const found = await storing('look for what was fetched', () => ifThere(lstat(path)));
    return found?.isDirectory() ? path : undefined;
  }

  /** An empty folder to fetch into, on the same disk. */
  temporary(): Promise<TemporaryFolder> {
    return this.#temporary.createFolder();
  }

  /** Keeps `made`, a folder in `temporary`, under this name, and gives its place. Of two processes that fetch the same the first one counts. */
  async keep(kind: FetchedKind, name: Digest, temporary: TemporaryFolder, made: string): Promise<string> {
    const path = await this.#path(kind, name);
    await temporary.moveNew(made, path);
    return path;
  }

  async note(kind: FetchedKind, name: Digest): Promise<unknown> {
    return readSealed(this.#notePath(kind, name));
  }

  async putNote(kind: FetchedKind, name: Digest, value: unknown): Promise<void> {
    await this.#temporary.write(this.#notePath(kind, name), await sealed(value), { sync: false });
  }

  #notePath(kind: FetchedKind, name: Digest): string {
    return join(this.#root, kind, `${hexOf(name)}.json`);
  }

  async #path(kind: FetchedKind, name: Digest): Promise<string> {
    if (kind === 'http') return join(this.#root, kind, hexOf(name));
    this.#boot ??= storing('read the id of this boot', () => readFile('/proc/sys/kernel/random/boot_id', 'utf8'));
    // Nobody waits for the many files of a repository to be on the disk: half of them, after a loss of power, must not be taken for the whole.
    return join(this.#root, kind, `${hexOf(name)}-${(await this.#boot).trim().slice(0, 8)}`);
  }
}
