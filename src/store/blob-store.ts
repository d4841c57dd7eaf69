import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import pLimit from 'p-limit';
import { BuildError } from '../diagnostics/build-error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf, hexOf } from '../oci/digest.ts';
import { type Expected, verified } from '../oci/verify.ts';
import { ifThere, isErrno, storing } from './store-error.ts';
import { syncDirectory, type TemporaryFiles } from './temporary-files.ts';

/** Bytes by digest, to read. Nothing here changes a blob: one digest has the same bytes for ever. */
export interface BlobSource {
  has(digest: Digest): Promise<boolean>;
  /** Undefined when there is no such blob. */
  stat(digest: Digest): Promise<{ readonly size: number } | undefined>;
  /** The bytes, with digest and length checked as they pass; the stream fails with IMAGE_INVALID, also for a blob that is not there. */
  read(blob: Expected): Readable;
  /** The whole blob, checked. Fails with IMAGE_INVALID for one that is not there or has more than `limit` bytes. */
  readBytes(digest: Digest, limit: number): Promise<Buffer>;
  /** Where the blob is, or would be. For a reader that checks what it reads, such as the worker. */
  path(digest: Digest): string;
}

export interface PutOptions {
  /** What the bytes must turn out to be; IMAGE_INVALID otherwise, and nothing is kept. */
  readonly expected?: Expected;
  readonly signal?: AbortSignal;
}

/** Bytes by digest. */
export interface BlobStore extends BlobSource {
  /**
   * Keeps the bytes and names them. They appear at once and whole, or not at all; the same bytes again, also at the same time from
   * several processes, are fine. They are on the disk when this returns, their name is when `sync` does.
   */
  put(content: AsyncIterable<Uint8Array> | Uint8Array, mediaType: string, options?: PutOptions): Promise<Descriptor>;
  /** Makes durable what is there of these blobs, whoever wrote them. */
  sync(digests: readonly Digest[]): Promise<void>;
}

/** The blobs of an OCI image layout, to read. */
export class LayoutBlobs implements BlobSource {
  protected readonly directory: string;

  constructor(root: string) {
    this.directory = join(root, 'blobs', 'sha256');
  }

  path(digest: Digest): string {
    return join(this.directory, hexOf(digest));
  }

  async has(digest: Digest): Promise<boolean> {
    return (await this.stat(digest)) !== undefined;
  }

  async stat(digest: Digest): Promise<{ readonly size: number } | undefined> {
    const found = await storing('look for a blob', () => ifThere(stat(this.path(digest))));
    return found && { size: found.size };
  }

  read(blob: Expected): Readable {
    return Readable.from(verified(this.#raw(blob.digest), blob, 'the store'), { objectMode: false, highWaterMark: chunkBytes });
  }

  async readBytes(digest: Digest, limit: number): Promise<Buffer> {
    const found = await this.stat(digest);
    if (!found) throw missing(digest);
    if (found.size > limit) throw new BuildError('IMAGE_INVALID', `blob "${digest}" has ${found.size} bytes, expected at most ${limit}`);
    const bytes = await storing('read a blob', () => readFile(this.path(digest)));
    if (digestOf(bytes) === digest) return bytes;
    throw new BuildError('IMAGE_INVALID', `the store's blob "${digest}" is damaged`, { hint: damagedHint });
  }

  async *#raw(digest: Digest): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of createReadStream(this.path(digest), { highWaterMark: chunkBytes })) yield chunk;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) throw missing(digest);
      await storing('read a blob', () => Promise.reject(error));
    }
  }
}

/** The blobs of an OCI image layout. */
export class LayoutBlobStore extends LayoutBlobs implements BlobStore {
  readonly #temporary: TemporaryFiles;
  /** Synced by this process: an fsync costs a flush of the disk even where nothing is to be written. */
  readonly #durable = new Set<Digest>();

  constructor(root: string, temporary: TemporaryFiles) {
    super(root);
    this.#temporary = temporary;
  }

  async put(content: AsyncIterable<Uint8Array> | Uint8Array, mediaType: string, options: PutOptions = {}): Promise<Descriptor> {
    const { expected, signal } = options;
    const known = content instanceof Uint8Array ? await this.#kept(content, mediaType, expected) : undefined;
    if (known) return known;
    await using file = await this.#temporary.create();
    const bytes = content instanceof Uint8Array ? [content] : content;
    const hash = expected ? undefined : createHash('sha256');
    let size = 0;
    for await (const chunk of expected ? verified(toAsync(bytes), expected, 'what was sent') : bytes) {
      signal?.throwIfAborted();
      hash?.update(chunk);
      size += chunk.length;
      await file.write(chunk);
    }
    const digest = expected?.digest ?? (`sha256:${hash?.digest('hex')}` as Digest);
    await file.sync();
    await file.moveTo(this.path(digest));
    this.#durable.add(digest);
    return { mediaType, digest, size };
  }

  async sync(digests: readonly Digest[]): Promise<void> {
    const limit = pLimit(16); // Side by side they share the flushes of the disk.
    await Promise.all(digests.map((digest) => limit(() => this.#syncOne(digest))));
    await syncDirectory(this.directory);
  }

  async #syncOne(digest: Digest): Promise<void> {
    if (this.#durable.has(digest)) return;
    await storing('write a blob to the disk', async () => {
      await using file = await open(this.path(digest), 'r');
      await file.sync();
    });
    this.#durable.add(digest);
  }

  /** The descriptor of bytes that are there already: an unchanged build writes nothing. */
  async #kept(bytes: Uint8Array, mediaType: string, expected: Expected | undefined): Promise<Descriptor | undefined> {
    const digest = digestOf(bytes);
    if (expected && (expected.digest !== digest || expected.size !== bytes.length)) return undefined;
    return (await this.stat(digest))?.size === bytes.length ? { mediaType, digest, size: bytes.length } : undefined;
  }
}

const chunkBytes = 256 * 1024;
const damagedHint = 'pull or build the image again';

async function* toAsync(bytes: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* bytes;
}

function missing(digest: Digest): BuildError {
  return new BuildError('IMAGE_INVALID', `the store has no blob "${digest}"`, { hint: damagedHint });
}
