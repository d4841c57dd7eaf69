import { join } from 'node:path';
import { type Digest, hexOf } from '../oci/digest.ts';
import { readSealed, sealed } from './checked-file.ts';
import type { TemporaryFiles } from './temporary-files.ts';

/** A repository that has a blob. */
export interface Origin {
  readonly registry: string;
  readonly repository: string;
}

/** Where blobs came from or were pushed to, so that a push within one registry can mount them. Hints: a repository may lose a blob. */
export interface Origins {
  /** The newest first. */
  get(digest: Digest): Promise<readonly Origin[]>;
  add(digest: Digest, origin: Origin): Promise<void>;
}

/** A blob of a base image could come from any number of repositories; the newest few are the likeliest to have it still. */
const maxOrigins = 8;

/** Origins in the files of `origins/`. */
export class OriginFiles implements Origins {
  readonly #directory: string;
  readonly #temporary: TemporaryFiles;

  constructor(root: string, temporary: TemporaryFiles) {
    this.#directory = join(root, 'origins');
    this.#temporary = temporary;
  }

  async get(digest: Digest): Promise<readonly Origin[]> {
    const found = (await readSealed(this.#path(digest))) as { digest: Digest; origins: readonly Origin[] } | undefined;
    return found?.digest === digest ? found.origins : [];
  }

  async add(digest: Digest, { registry, repository }: Origin): Promise<void> {
    const before = await this.get(digest);
    if (before[0]?.registry === registry && before[0].repository === repository) return;
    const others = before.filter((origin) => origin.registry !== registry || origin.repository !== repository);
    const origins = [{ registry, repository }, ...others].slice(0, maxOrigins);
    await this.#temporary.write(this.#path(digest), await sealed({ digest, origins }), { sync: false });
  }

  #path(digest: Digest): string {
    return join(this.#directory, `${hexOf(digest)}.json`);
  }
}
