import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { redactUrl } from '../context/git-access.ts';
import { type FetchedFile, fetchFile, isUnchanged } from '../context/http-fetch.ts';
import type { HttpAccess } from '../context/http-request.ts';
import { BuildError } from '../diagnostics/build-error.ts';
import type { HttpSpec } from '../graph/spec.ts';
import { type Digest, digestOf, isDigest } from '../oci/digest.ts';
import { field } from '../solve/key.ts';
import type { FetchedFolders } from '../store/fetched-folders.ts';
import { once } from './once.ts';
import type { RemoteSource, RunFetch } from './remote-sources.ts';

/** The files of URLs, kept in the store: a folder for each content, and for each URL a note on what it gave last. */
export class HttpFiles {
  readonly #folders: FetchedFolders;
  readonly #access: HttpAccess;

  constructor(folders: FetchedFolders, access: HttpAccess) {
    this.#folders = folders;
    this.#access = access;
  }

  source(spec: HttpSpec, run: RunFetch): RemoteSource {
    const fetched = once((signal) => run((stop) => this.#fetch(spec, stop), signal));
    return {
      async key(signal) {
        const { filename, checksum } = spec;
        // The bytes are known: nobody need be asked.
        if (checksum !== undefined) return field('http', { filename, checksum });
        const { digest, mtime } = (await fetched(signal)).file;
        return field('http', { filename, checksum: digest, mtime });
      },
      directory: async (signal) => (await fetched(signal)).directory,
    };
  }

  async #fetch(spec: HttpSpec, signal: AbortSignal): Promise<Fetched> {
    const kept = await this.#kept(spec);
    if (kept && spec.checksum !== undefined && kept.file.digest === spec.checksum) return kept;
    if (kept && spec.checksum === undefined && (await isUnchanged(spec.url, kept.file, this.#access, signal))) return kept;
    const known = spec.checksum === undefined ? kept : undefined;
    await using temporary = await this.#folders.temporary();
    const folder = join(temporary.path, 'file');
    await mkdir(folder, { mode: 0o700 });
    const file = await fetchFile(spec.url, join(folder, spec.filename), known ? { known: known.file } : {}, this.#access, signal);
    if (file === undefined) return known ?? impossible();
    check(spec, file.digest);
    const directory = await this.#folders.keep('http', contentName(spec, file), temporary, folder);
    await this.#folders.putNote('http', urlName(spec), file);
    return { file, directory };
  }

  /** What the URL gave last, if it is still there. */
  async #kept(spec: HttpSpec): Promise<Fetched | undefined> {
    const note = await this.#folders.note('http', urlName(spec));
    if (!isFile(note)) return undefined;
    const directory = await this.#folders.find('http', contentName(spec, note));
    return directory === undefined ? undefined : { file: note, directory };
  }
}

interface Fetched {
  readonly file: FetchedFile;
  readonly directory: string;
}

/** Names the note. No folder of the store is named by what a remote says. */
const urlName = ({ url, filename }: HttpSpec): Digest => digestOf(JSON.stringify(['url', url, filename]));

const contentName = ({ filename }: HttpSpec, { digest, mtime }: FetchedFile): Digest =>
  digestOf(JSON.stringify(['file', filename, digest, mtime]));

function isFile(note: unknown): note is FetchedFile {
  const { digest, mtime } = (note ?? {}) as Partial<FetchedFile>;
  return isDigest(digest) && typeof mtime === 'number';
}

function check({ url, checksum }: HttpSpec, digest: Digest): void {
  if (checksum === undefined || checksum === digest) return;
  throw new BuildError('CHECKSUM_MISMATCH', `expected "${checksum}" from "${redactUrl(url)}", found "${digest}"`, {
    hint: 'the file was changed on its server, or the checksum is of another one',
  });
}

const impossible = (): never => {
  throw new Error('a server knows a version that nobody has');
};
