import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import type { Expected } from '../oci/verify.ts';
import { type BlobSource, LayoutBlobs } from '../store/blob-store.ts';
import { storing } from '../store/store-error.ts';
import { TemporaryFiles } from '../store/temporary-files.ts';
import type { Document } from './artifact.ts';
import type { ArtifactPlace } from './artifact-place.ts';

/** Blobs of this session, in `tmp/<lease>/blobs/sha256/`: the worker puts there what it packs, and takes from there what it unpacks. */
export class SessionBlobs {
  readonly source: BlobSource;
  readonly #temporary: TemporaryFiles;

  /** `temporary`: as the worker's hello gives it. */
  constructor(root: string, temporary: string) {
    this.source = new LayoutBlobs(join(root, temporary));
    this.#temporary = new TemporaryFiles(root, temporary);
  }

  /** Keeps bytes that were checked as they passed. Nothing is synced: it all goes with the session. */
  async put({ digest }: Descriptor, bytes: AsyncIterable<Uint8Array>, onBytes: (count: number) => void): Promise<void> {
    const path = this.source.path(digest);
    await storing('make a temporary folder', () => mkdir(dirname(path), { recursive: true, mode: 0o700 }));
    await using file = await this.#temporary.create();
    for await (const chunk of bytes) {
      await file.write(chunk);
      onBytes(chunk.length);
    }
    await file.moveTo(path);
  }
}

/** The blobs of an artifact from where each is: in memory, of this session, or of the artifact as it was before. */
export class ArtifactBlobs implements BlobSource {
  readonly #documents: ReadonlyMap<Digest, Document>;
  readonly #made: BlobSource;
  readonly #before: { readonly place: ArtifactPlace; readonly blobs: ReadonlyMap<Digest, Descriptor>; readonly signal: AbortSignal };

  constructor(
    documents: readonly Document[],
    made: BlobSource,
    before: { readonly place: ArtifactPlace; readonly blobs: ReadonlyMap<Digest, Descriptor>; readonly signal: AbortSignal },
  ) {
    this.#documents = new Map(documents.map((document) => [document.descriptor.digest, document]));
    this.#made = made;
    this.#before = before;
  }

  async has(digest: Digest): Promise<boolean> {
    return (await this.stat(digest)) !== undefined;
  }

  async stat(digest: Digest): Promise<{ readonly size: number } | undefined> {
    const document = this.#documents.get(digest);
    return document?.descriptor ?? (await this.#made.stat(digest)) ?? this.#before.blobs.get(digest);
  }

  read(blob: Expected): Readable {
    return Readable.from(this.#bytes(blob), { objectMode: false });
  }

  async readBytes(digest: Digest, limit: number): Promise<Buffer> {
    const document = this.#documents.get(digest);
    if (document && digestOf(document.bytes) === digest) return document.bytes;
    return this.#made.readBytes(digest, limit);
  }

  path(digest: Digest): string {
    return this.#made.path(digest);
  }

  async *#bytes(blob: Expected): AsyncGenerator<Uint8Array> {
    const document = this.#documents.get(blob.digest);
    const { place, blobs, signal } = this.#before;
    const before = blobs.get(blob.digest);
    if (document) yield document.bytes;
    else if (!before || (await this.#made.has(blob.digest))) yield* this.#made.read(blob);
    else yield* place.blob(before, signal);
  }
}
