import type { CachePlace } from '../build-options.ts';
import { BuildError } from '../diagnostics/build-error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { documentKind, maxDocumentBytes, parseIndex } from '../oci/parse.ts';
import { familiarReference, formatReference, parseReference, type Reference } from '../oci/reference.ts';
import { verified } from '../oci/verify.ts';
import type { Registry } from '../registry/registry.ts';
import { ArchiveFile, blobName } from './archive-file.ts';
import { type Artifact, configOf, type Document, parseArtifact } from './artifact.ts';

/** Where an artifact lies, to read. */
export interface ArtifactPlace extends AsyncDisposable {
  /** For messages. */
  readonly name: string;
  /** Undefined when there is nothing yet. Throws IMAGE_INVALID for anything else than an artifact of cache mounts. */
  read(signal: AbortSignal): Promise<Artifact | undefined>;
  /** The bytes of a blob, checked as they pass. */
  blob(blob: Descriptor, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** Throws REFERENCE_INVALID. */
export const artifactPlace = (place: CachePlace, registry: Registry): ArtifactPlace =>
  'file' in place ? new ArchivePlace(place.file) : new RegistryPlace(parseReference(place.reference), registry);

/** Under a name in a registry. */
export class RegistryPlace implements ArtifactPlace {
  readonly name: string;
  readonly reference: Reference;
  readonly #registry: Registry;

  constructor(reference: Reference, registry: Registry) {
    this.reference = reference;
    this.name = `"${familiarReference(reference)}"`;
    this.#registry = registry;
  }

  async read(signal: AbortSignal): Promise<Artifact | undefined> {
    const found = await this.#document(signal);
    if (!found) return undefined;
    const config = documentKind(found.descriptor.mediaType) === 'manifest' ? configOf(found.bytes, this.name) : undefined;
    if (!config) throw foreign(this.name);
    return parseArtifact({ manifest: found.bytes, config: await readWhole(this.blob(config, signal), config, this.name) }, this.name);
  }

  blob(blob: Descriptor, signal: AbortSignal): AsyncIterable<Uint8Array> {
    return this.#registry.blob(this.reference, blob, signal);
  }

  async #document(signal: AbortSignal): Promise<Document | undefined> {
    try {
      return await this.#registry.document(this.reference, signal);
    } catch (error) {
      if (error instanceof BuildError && error.code === 'BASE_NOT_FOUND') return undefined;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** In full. */
  get fullName(): string {
    return formatReference(this.reference);
  }
}

/** In a tar of an OCI layout. */
export class ArchivePlace implements ArtifactPlace {
  readonly name: string;
  readonly path: string;
  #archive: ArchiveFile | undefined;

  constructor(path: string) {
    this.path = path;
    this.name = `"${path}"`;
  }

  async read(): Promise<Artifact | undefined> {
    this.#archive ??= await ArchiveFile.open(this.path);
    if (!this.#archive) return undefined;
    const { manifests } = parseIndex(await this.#archive.document('index.json'), `the index of ${this.name}`);
    for (const { digest, mediaType } of manifests) {
      if (documentKind(mediaType) !== 'manifest') continue;
      const manifest = await this.#checked(this.#archive, digest);
      const config = configOf(manifest, this.name);
      if (config) return parseArtifact({ manifest, config: await this.#checked(this.#archive, config.digest) }, this.name);
    }
    throw foreign(this.name);
  }

  blob(blob: Descriptor): AsyncIterable<Uint8Array> {
    if (!this.#archive) throw new Error(`${this.name} is not open`);
    return verified(this.#archive.blob(blob), blob, this.name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#archive?.[Symbol.asyncDispose]();
  }

  async #checked(archive: ArchiveFile, digest: Digest): Promise<Buffer> {
    const bytes = await archive.document(blobName(digest));
    if (digestOf(bytes) === digest) return bytes;
    throw new BuildError('IMAGE_INVALID', `${this.name} has another blob under "${digest}"`, { hint: 'it is damaged: make it again' });
  }
}

async function readWhole(bytes: AsyncIterable<Uint8Array>, { size }: Descriptor, what: string): Promise<Buffer> {
  if (size > maxDocumentBytes) throw new BuildError('IMAGE_INVALID', `the config of ${what} is longer than ${maxDocumentBytes} bytes`);
  return Buffer.concat(await Array.fromAsync(bytes));
}

const foreign = (name: string): BuildError =>
  new BuildError('IMAGE_INVALID', `${name} holds no cache mounts`, { hint: 'it is an image, or something else: choose another name' });
