import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { BuildError } from '../diagnostics/build-error.ts';
import { nearest } from '../diagnostics/suggest.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf, hexOf, isDigest } from '../oci/digest.ts';
import { maxDocumentBytes, parseIndex } from '../oci/parse.ts';

/** Which image of a layout: by its tag, by its digest, or the only one. */
export interface LayoutReference {
  /** Absolute. */
  readonly directory: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const chunkBytes = 256 * 1024;

/**
 * Reads `directory[:tag][@digest]`; without both the tag is `latest`. Throws REFERENCE_INVALID. Source: buildx 0.36, util/ocilayout.
 */
export function parseLayoutReference(text: string): LayoutReference {
  const at = text.lastIndexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && /^[^/]*:[^/]*$/.test(digest) && !isDigest(digest)) {
    throw new BuildError('REFERENCE_INVALID', `"${digest}" is no digest`, { hint: 'a digest is "sha256:" and 64 lower-case hex digits' });
  }
  const found = isDigest(digest) ? digest : undefined;
  const path = found ? text.slice(0, at) : text;
  const [, directory = path, tag] = /^(.*):([A-Za-z0-9_][A-Za-z0-9._-]{0,127})$/s.exec(path) ?? [];
  if (directory === '') throw new BuildError('REFERENCE_INVALID', `"oci-layout://${text}" names no directory`);
  const given = tag === undefined ? {} : { tag };
  return { directory, ...(found ? { digest: found } : { tag: 'latest' }), ...given };
}

/** An OCI image layout that somebody else made: nothing in it is believed before its digest is checked. */
export class ImageLayout {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The digest that is asked for, else the image of that tag, else the only one. Throws BASE_NOT_FOUND, IMAGE_INVALID. */
  async find({ tag, digest }: LayoutReference): Promise<Pick<Descriptor, 'digest'>> {
    if (digest) return { digest };
    const { manifests } = parseIndex(await this.#readFile('index.json'), `"${join(this.#directory, 'index.json')}"`);
    const named = (key: string) => manifests.find(({ annotations }) => annotations?.[key] === tag);
    const [only, second] = manifests;
    const found = named('io.containerd.image.name') ?? named('org.opencontainers.image.ref.name') ?? (second ? undefined : only);
    if (found) return found;
    throw new BuildError('BASE_NOT_FOUND', `the layout "${this.#directory}" has no image "${tag}"`, { hint: hintFor(tag, manifests) });
  }

  /** A manifest or an index, checked. */
  async document(digest: Digest): Promise<{ readonly descriptor: Descriptor; readonly bytes: Buffer }> {
    const bytes = await this.#readFile(`blobs/sha256/${hexOf(digest)}`);
    if (digestOf(bytes) !== digest) {
      throw new BuildError('IMAGE_INVALID', `the layout "${this.#directory}" has another blob under "${digest}"`, {
        hint: 'it is damaged: make it again',
      });
    }
    return { descriptor: { mediaType: mediaTypeOf(bytes), digest, size: bytes.length }, bytes };
  }

  /** The bytes of a blob. They are not checked: who stores them does that. */
  async *blob({ digest }: Descriptor): AsyncGenerator<Uint8Array> {
    await using file = await this.#open(`blobs/sha256/${hexOf(digest)}`);
    for (;;) {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  }

  async #readFile(name: string): Promise<Buffer> {
    await using file = await this.#open(name);
    const chunks: Buffer[] = [];
    let length = 0;
    while (length <= maxDocumentBytes) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(chunkBytes), 0, chunkBytes, null);
      if (bytesRead === 0) return Buffer.concat(chunks);
      chunks.push(buffer.subarray(0, bytesRead));
      length += bytesRead;
    }
    throw new BuildError('IMAGE_INVALID', `"${join(this.#directory, name)}" has more than ${maxDocumentBytes} bytes`);
  }

  /** A pipe in place of a file keeps nobody waiting. */
  async #open(name: string): Promise<FileHandle> {
    const path = join(this.#directory, name);
    try {
      const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      if ((await file.stat()).isFile()) return file;
      await file.close();
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw new BuildError('IMAGE_INVALID', `"${path}" cannot be read: ${code}`, { cause });
      if (name === 'index.json') throw noLayout(this.#directory);
      throw new BuildError('BASE_NOT_FOUND', `the layout "${this.#directory}" has no blob "${name.slice(-64)}"`, {
        hint: 'a digest in index.json or in a manifest leads to a blob that is not there: the layout is not whole',
      });
    }
    throw new BuildError('IMAGE_INVALID', `"${path}" is no regular file`);
  }
}

const noLayout = (directory: string): BuildError =>
  new BuildError('BASE_NOT_FOUND', `"${directory}" is no OCI image layout: it has no "index.json"`, {
    hint: '"cooper build -o type=oci,dest=FILE" writes an archive of one: unpack it into a directory',
  });

function hintFor(tag: string | undefined, manifests: readonly Descriptor[]): string {
  const tags = manifests.flatMap(({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] ?? []).slice(0, 20);
  const near = nearest(tag ?? '', tags);
  if (near) return `did you mean "${near}"?`;
  return tags.length > 0 ? `it has ${tags.map((each) => `"${each}"`).join(', ')}` : 'name the image by its digest: DIRECTORY@sha256:…';
}

/** As the document itself says; a manifest may leave it out. */
function mediaTypeOf(bytes: Buffer): string {
  const document: unknown = parseOrNothing(bytes);
  const isObject = typeof document === 'object' && document !== null;
  if (isObject && 'mediaType' in document && typeof document.mediaType === 'string') return document.mediaType;
  const kind = isObject && 'manifests' in document ? 'index' : 'manifest';
  return `application/vnd.oci.image.${kind}.v1+json`;
}

/** What is no JSON is refused by who reads it as a manifest. */
function parseOrNothing(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}
