import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { BuildError } from '../diagnostics/build-error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { digestOf, hexOf } from '../oci/digest.ts';
import { descriptor as parseDescriptor } from '../oci/parse.ts';
import { Shape } from '../oci/shape.ts';
import type { BlobStore } from './blob-store.ts';
import { imageBlobs } from './image-blobs.ts';
import { writeIndex } from './layout.ts';
import type { Locker } from './store.ts';
import { ifThere, storing } from './store-error.ts';
import { syncDirectory, type TemporaryFiles } from './temporary-files.ts';

/** A name, and the image that it stands for now. */
export interface Ref {
  /** Full reference: `docker.io/library/hello:latest`. */
  readonly name: string;
  readonly descriptor: Descriptor;
  /** When the name was given to this image; ISO 8601. */
  readonly created: string;
}

/** Names of images, to read. */
export interface RefSource {
  get(name: string): Promise<Ref | undefined>;
  /** Sorted by name. */
  list(): Promise<Ref[]>;
}

/** Names of images. A name is only ever given to an image that is there whole. */
export interface RefStore extends RefSource {
  /** Names the image, or renames: the last one wins. Fails with IMAGE_INVALID when one of its blobs is missing or of another length. */
  set(name: string, descriptor: Descriptor): Promise<Ref>;
  /** False when there was no such name. The image's blobs stay. */
  delete(name: string): Promise<boolean>;
}

/** Names from the files of `refs/`. */
export class RefFiles implements RefSource {
  protected readonly directory: string;

  constructor(root: string) {
    this.directory = join(root, 'refs');
  }

  async get(name: string): Promise<Ref | undefined> {
    const ref = await this.#read(fileName(name));
    return ref?.name === name ? ref : undefined;
  }

  async list(): Promise<Ref[]> {
    const files = (await storing('list its references', () => ifThere(readdir(this.directory)))) ?? [];
    const limit = pLimit(16);
    const refs = await Promise.all(files.map((file) => limit(() => this.#read(file))));
    // One that was deleted between the two reads is no longer there.
    return refs.filter((ref) => ref !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async #read(file: string): Promise<Ref | undefined> {
    const path = join(this.directory, file);
    const text = await storing('read a reference', () => ifThere(readFile(path)));
    if (!text) return undefined;
    try {
      const shape = Shape.parse(text, `"${path}"`);
      return {
        name: shape.required('name', (key) => shape.string(key)),
        descriptor: parseDescriptor(shape.required('descriptor', (key) => shape.object(key))),
        created: shape.required('created', (key) => shape.string(key)),
      };
    } catch (cause) {
      throw new BuildError('STORE_FAILED', `the store's reference "${path}" is damaged`, {
        cause,
        hint: 'delete that file, then pull or build the image again',
      });
    }
  }
}

/** Names in the files of `refs/`, with `index.json` derived from them. */
export class RefFileStore extends RefFiles implements RefStore {
  readonly #root: string;
  readonly #blobs: BlobStore;
  readonly #temporary: TemporaryFiles;
  readonly #locks: Locker;

  constructor(root: string, { blobs, temporary, locks }: { blobs: BlobStore; temporary: TemporaryFiles; locks: Locker }) {
    super(root);
    this.#root = root;
    this.#blobs = blobs;
    this.#temporary = temporary;
    this.#locks = locks;
  }

  async set(name: string, descriptor: Descriptor): Promise<Ref> {
    await this.#checkWhole(descriptor);
    const before = await this.get(name);
    if (before?.descriptor.digest === descriptor.digest) return before;
    await this.#blobs.sync((await imageBlobs(this.#blobs, descriptor)).map((blob) => blob.digest));
    const ref: Ref = { name, descriptor, created: new Date().toISOString() };
    await this.#changing(() => this.#temporary.write(join(this.directory, fileName(name)), `${JSON.stringify(ref)}\n`, { sync: true }));
    return ref;
  }

  async delete(name: string): Promise<boolean> {
    if (!(await this.get(name))) return false;
    await this.#changing(() => storing('delete a reference', () => rm(join(this.directory, fileName(name)), { force: true })));
    return true;
  }

  /** Under the lock nobody derives an index from names that change meanwhile: the last one to write it has seen all. */
  async #changing(change: () => Promise<void>): Promise<void> {
    await using _lock = await this.#locks.acquire('index', true);
    await change();
    await syncDirectory(this.directory);
    await writeIndex(this.#root, this.#temporary, await this.list());
  }

  async #checkWhole(image: Descriptor): Promise<void> {
    for (const blob of await imageBlobs(this.#blobs, image)) {
      const found = await this.#blobs.stat(blob.digest);
      if (found?.size === blob.size) continue;
      const state = found ? `has ${found.size} of ${blob.size} bytes` : 'is missing';
      throw new BuildError('IMAGE_INVALID', `image "${image.digest}" is not whole: its blob "${blob.digest}" ${state}`, {
        hint: 'pull or build it again',
      });
    }
  }
}

/** A name as a file's. Most names are readable; one that is too long for a file name is replaced by its digest. */
function fileName(name: string): string {
  const encoded = encodeURIComponent(name);
  return encoded.length <= 255 && !encoded.startsWith('.') ? encoded : `~${hexOf(digestOf(name))}`;
}
