import { createHash } from 'node:crypto';

declare const digestBrand: unique symbol;
declare const diffIDBrand: unique symbol;
declare const chainIDBrand: unique symbol;

/** `sha256:` and 64 hex digits: names the exact bytes that are stored or sent. Source: OCI image-spec, descriptor.md, "Digests". */
export type Digest = string & { readonly [digestBrand]: true };

/** The digest of a layer's uncompressed tar. Source: OCI image-spec, config.md, "Layer DiffID". */
export type DiffID = string & { readonly [diffIDBrand]: true };

/** The name of a stack of layers. Source: OCI image-spec, config.md, "Layer ChainID". */
export type ChainID = string & { readonly [chainIDBrand]: true };

const form = /^sha256:[0-9a-f]{64}$/;

/** Whether `text` is a sha256 digest in canonical form: the only kind that may name a file of the store. */
export const isDigest = (text: unknown): text is Digest => typeof text === 'string' && form.test(text);

/** The digest of these bytes (a string counts as its UTF-8 bytes). */
export const digestOf = (bytes: string | Uint8Array): Digest => `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;

/** The 64 hex digits of a digest, safe as a file name. Throws a TypeError for anything that is no canonical sha256 digest. */
export function hexOf(digest: Digest | DiffID | ChainID): string {
  if (!isDigest(digest)) throw new TypeError(`not a sha256 digest: ${JSON.stringify(digest)}`);
  return digest.slice('sha256:'.length);
}
