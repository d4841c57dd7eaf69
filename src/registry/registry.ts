import { BuildError } from '../diagnostics/build-error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf, isDigest } from '../oci/digest.ts';
import { mediaTypes } from '../oci/media-types.ts';
import { documentKind, maxDocumentBytes } from '../oci/parse.ts';
import { familiarReference, type Reference } from '../oci/reference.ts';
import { Shape } from '../oci/shape.ts';
import { verified } from '../oci/verify.ts';
import { download } from './download.ts';
import { refused } from './errors.ts';
import { type Exchange, Session, type SessionOptions } from './session.ts';
import { locationOf, upload } from './upload.ts';

export interface RegistryOptions extends SessionOptions {
  /** Uploads every blob in pieces of this many bytes. */
  readonly chunkBytes?: number;
}

/** A manifest or an index, as a registry has it. */
export interface RemoteDocument {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

/** How a blob came to be in a repository. */
export type PutResult = 'existed' | 'mounted' | 'uploaded';

export interface PutBlob {
  readonly blob: Descriptor;
  /** The bytes, from the start; asked again when an upload has to begin anew. */
  readonly content: () => AsyncIterable<Uint8Array>;
  /** Repositories of the same registry that may have the blob: it is mounted from the first that does. */
  readonly from?: readonly string[];
  /** Fulfilled when the blob may be published: the request that would do so waits for it. Rejected, it is never sent. */
  readonly verdict?: Promise<void> | undefined;
}

type Repository = Pick<Reference, 'registry' | 'repository'>;

/**
 * Reads and writes images in registries. What it gives is checked against the digest that was asked for.
 * Throws REGISTRY_UNREACHABLE, REGISTRY_AUTH, REGISTRY_FAILED, and IMAGE_INVALID for bytes that are not what they should be.
 * Source: OCI distribution-spec 1.1.
 */
export class Registry {
  readonly #session: Session;
  readonly #chunkBytes: number | undefined;

  constructor(options: RegistryOptions) {
    this.#session = new Session(options);
    this.#chunkBytes = options.chunkBytes;
  }

  /** The manifest or index of a tag or a digest. Throws BASE_NOT_FOUND for a name that the registry does not have. */
  async document(reference: Reference, signal: AbortSignal): Promise<RemoteDocument> {
    const target = `${reference.repository}/manifests/${reference.digest ?? reference.tag}`;
    const exchange = await this.#pull(reference, 'GET', target, { accept: documentTypes }, signal);
    if (exchange.response.status === 404) throw await notFound(reference, exchange);
    if (exchange.response.status !== 200) throw await refused(reference.registry, exchange.request, exchange.response);
    return readDocument(reference, exchange);
  }

  /** The bytes of a blob, checked as they pass; resumed when the connection breaks. */
  blob({ registry, repository }: Repository, blob: Descriptor, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const open = (offset: number) => {
      const headers: Record<string, string> = offset === 0 ? {} : { range: `bytes=${offset}-` };
      return this.#pull({ registry, repository }, 'GET', `${repository}/blobs/${blob.digest}`, headers, signal);
    };
    return verified(download({ registry, blob, open, retry: this.#session.retry }, signal), blob, `registry "${registry}"`);
  }

  async hasBlob({ registry, repository }: Repository, digest: Digest, signal: AbortSignal): Promise<boolean> {
    const exchange = await this.#push({ registry, repository }, 'HEAD', `${repository}/blobs/${digest}`, {}, signal);
    if (exchange.response.status !== 200 && exchange.response.status !== 404)
      throw await refused(registry, exchange.request, exchange.response);
    await exchange.response.discard();
    return exchange.response.status === 200;
  }

  /** Sees to it that the repository has the blob, by the cheapest way. */
  async putBlob(to: Repository, { blob, content, from = [], verdict }: PutBlob, signal: AbortSignal): Promise<PutResult> {
    if (await this.hasBlob(to, blob.digest, signal)) return 'existed';
    let location: URL | undefined;
    // A mount publishes at once.
    if (from.length > 0) await verdict;
    for (const source of from.slice(0, maxMounts)) {
      const mounted = await this.#mount(to, blob.digest, source, signal);
      if (mounted === true) return 'mounted';
      location = mounted ?? location;
    }
    const scopes = [scopeOf(to.repository, 'pull,push')];
    await upload({ session: this.#session, ...to, scopes, blob, content, chunkBytes: this.#chunkBytes, location, verdict }, signal);
    return 'uploaded';
  }

  /** Puts a manifest or an index under the reference's tag, or under its digest alone. What it names must be there. */
  async putDocument(reference: Reference, { descriptor, bytes }: RemoteDocument, signal: AbortSignal): Promise<void> {
    const { registry, repository } = reference;
    const request = {
      registry,
      scopes: [scopeOf(repository, 'pull,push')],
      method: 'PUT',
      target: `${repository}/manifests/${reference.digest === undefined ? reference.tag : descriptor.digest}`,
      headers: { 'content-type': descriptor.mediaType },
      body: bytes,
    } as const;
    const exchange = await this.#session.request(request, signal);
    if (exchange.response.status !== 201) throw await refused(registry, exchange.request, exchange.response);
    checkDigestHeader(registry, exchange, descriptor.digest);
    await exchange.response.discard();
  }

  /** Ends idle connections, which would keep the process alive for some seconds. */
  async close(): Promise<void> {
    await this.#session.close();
  }

  /** True: it is there. A URL: it is not, but a place to upload to is open. A registry may also refuse to mount at all. */
  async #mount({ registry, repository }: Repository, digest: Digest, source: string, signal: AbortSignal): Promise<true | URL | undefined> {
    const scopes = [scopeOf(repository, 'pull,push'), scopeOf(source, 'pull')];
    const target = `${repository}/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(source)}`;
    try {
      const exchange = await this.#session.request(
        { registry, scopes, method: 'POST', target, headers: { 'content-length': '0' } },
        signal,
      );
      await exchange.response.discard();
      if (exchange.response.status === 201) return true;
      return exchange.response.status === 202 ? locationOf(registry, exchange) : undefined;
    } catch (error) {
      // One may not have the right to read the other repository: the upload works without.
      if (error instanceof BuildError && error.code === 'REGISTRY_AUTH') return undefined;
      throw error;
    }
  }

  #pull(
    { registry, repository }: Repository,
    method: 'GET',
    target: string,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<Exchange> {
    return this.#session.request({ registry, scopes: [scopeOf(repository, 'pull')], method, target, headers }, signal);
  }

  #push(
    { registry, repository }: Repository,
    method: 'HEAD',
    target: string,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<Exchange> {
    return this.#session.request({ registry, scopes: [scopeOf(repository, 'pull,push')], method, target, headers }, signal);
  }
}

/** Each refused mount is a round trip: a few likely sources, then the bytes. */
const maxMounts = 2;

const documentTypes = [mediaTypes.manifest, mediaTypes.index, mediaTypes.dockerManifest, mediaTypes.dockerIndex].join(', ');

const scopeOf = (repository: string, actions: string): string => `repository:${repository}:${actions}`;

async function readDocument(reference: Reference, exchange: Exchange): Promise<RemoteDocument> {
  const what = `the manifest of "${familiarReference(reference)}"`;
  const bytes = await readLimited(exchange, what);
  const digest = digestOf(bytes);
  if (reference.digest !== undefined && reference.digest !== digest) {
    const message = `registry "${reference.registry}": expected a manifest "${reference.digest}", found "${digest}"`;
    throw new BuildError('IMAGE_INVALID', message, { hint: 'the registry, or something between, changes what it sends' });
  }
  checkDigestHeader(reference.registry, exchange, digest);
  return { descriptor: { mediaType: mediaTypeOf(bytes, exchange, what), digest, size: bytes.length }, bytes };
}

async function readLimited({ response }: Exchange, what: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > maxDocumentBytes)
      throw new BuildError('IMAGE_INVALID', `${what} is longer than ${maxDocumentBytes} bytes`, { hint: 'no image needs that' });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The type that the header says, which the document itself may repeat but not contradict (CVE-2021-41190). */
function mediaTypeOf(bytes: Buffer, { response }: Exchange, what: string): string {
  const header = response.header('content-type')?.split(';')[0]?.trim().toLowerCase();
  const inside = Shape.parse(bytes, what).string('mediaType');
  const mediaType = inside ?? header ?? '';
  if (!documentKind(mediaType)) {
    throw new BuildError('IMAGE_INVALID', `${what} is of type "${mediaType}"`, {
      hint: 'it is no image that can be built from, or one of schema 1, from before 2016',
    });
  }
  if (header !== undefined && documentKind(header) && header !== mediaType) {
    throw new BuildError('IMAGE_INVALID', `${what} says that it is "${inside}", its registry says "${header}"`, {
      hint: 'tell who runs the registry',
    });
  }
  return mediaType;
}

function checkDigestHeader(registry: string, { response }: Exchange, digest: Digest): void {
  const said = response.header('docker-content-digest');
  if (!isDigest(said) || said === digest) return;
  throw new BuildError('IMAGE_INVALID', `registry "${registry}": expected a manifest "${digest}", the registry calls it "${said}"`, {
    hint: 'the registry, or something between, changes what is sent',
  });
}

async function notFound(reference: Reference, { request, response }: Exchange): Promise<BuildError> {
  const cause = await refused(reference.registry, request, response);
  const hint = `check the name and the tag; registry "${reference.registry}" was asked`;
  return new BuildError('BASE_NOT_FOUND', `there is no image "${familiarReference(reference)}"`, { cause, hint });
}
