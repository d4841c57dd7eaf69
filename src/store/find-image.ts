import { BuildError } from '../diagnostics/build-error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { mediaTypes } from '../oci/media-types.ts';
import { maxDocumentBytes } from '../oci/parse.ts';
import { familiarReference, formatReference, parseReference } from '../oci/reference.ts';
import { Shape } from '../oci/shape.ts';
import type { Ref } from './ref-store.ts';
import type { StoreReader } from './store.ts';

export interface FoundImage {
  /** Full reference; undefined for an image that was found by its digest. */
  readonly name?: string;
  readonly descriptor: Descriptor;
}

/**
 * The image that a user means: by name, by digest, or by the first digits (4 or more) of the digest of a named image.
 * Throws IMAGE_NOT_FOUND, or REFERENCE_INVALID for what is neither name nor digest.
 */
export async function findImage(store: StoreReader, text: string): Promise<FoundImage> {
  const found = isDigest(text) ? await byDigest(store, text) : await byName(store, text);
  if (found) return found;
  throw new BuildError('IMAGE_NOT_FOUND', `the store has no image "${text}"`, { hint: await suggestion(store, text) });
}

async function byName(store: StoreReader, text: string): Promise<FoundImage | undefined> {
  const digits = /^(?:sha256:)?([0-9a-f]{4,64})$/.exec(text)?.[1];
  if (digits === undefined) return named(await store.refs.get(formatReference(parseReference(text))));
  // A name may look like digits ("cafe"): names come first.
  const ref = /^sha256:|^[0-9a-f]{64}$/.test(text) ? undefined : await store.refs.get(formatReference(parseReference(text)));
  return named(ref) ?? byPrefix(await store.refs.list(), text, `sha256:${digits}`);
}

const named = (ref: Ref | undefined): FoundImage | undefined => ref && { name: ref.name, descriptor: ref.descriptor };

function byPrefix(refs: readonly Ref[], text: string, prefix: string): FoundImage | undefined {
  const matches = new Map(refs.filter(({ descriptor }) => descriptor.digest.startsWith(prefix)).map((ref) => [ref.descriptor.digest, ref]));
  const [first, second] = matches.values();
  if (second) throw new BuildError('IMAGE_NOT_FOUND', `"${text}" is the beginning of several digests`, { hint: 'write more digits' });
  return first && { descriptor: first.descriptor };
}

/** A manifest or an index in the store, named or not. */
async function byDigest({ blobs }: StoreReader, digest: Digest): Promise<FoundImage | undefined> {
  const found = await blobs.stat(digest);
  if (!found || found.size > maxDocumentBytes) return undefined;
  const mediaType = documentType(await blobs.readBytes(digest, maxDocumentBytes));
  return mediaType === undefined ? undefined : { descriptor: { mediaType, digest, size: found.size } };
}

/** By its fields: the media type may be left out of a document. Undefined for a config, a layer, or anything else. */
function documentType(bytes: Uint8Array): string | undefined {
  try {
    const shape = Shape.parse(bytes, 'blob');
    if (shape.has('layers') && shape.has('config')) return shape.string('mediaType') ?? mediaTypes.manifest;
    return shape.has('manifests') ? (shape.string('mediaType') ?? mediaTypes.index) : undefined;
  } catch {
    return undefined; // A blob that is no document is no image: that is the answer.
  }
}

async function suggestion({ refs }: StoreReader, text: string): Promise<string> {
  const names = (await refs.list()).map(({ name }) => familiarReference(parseReference(name)));
  const wanted = text.toLowerCase().split(/[:@]/)[0] ?? '';
  const near = names.filter((name) => name.includes(wanted) || wanted.includes(name.split(':')[0] ?? name)).slice(0, 3);
  if (near.length > 0) return `there is ${near.map((name) => `"${name}"`).join(', ')}`;
  return names.length === 0 ? 'the store is empty: build or pull an image first' : '"cooper images" lists what there is';
}
