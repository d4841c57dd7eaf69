import { BuildError } from '../diagnostics/build-error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { documentKind, maxDocumentBytes, parseIndex, parseManifest } from '../oci/parse.ts';
import type { BlobSource } from './blob-store.ts';

/** Every blob that an image is made of, itself last: whoever copies in this order never has a document that names what is not there. */
export async function imageBlobs(blobs: BlobSource, image: Descriptor): Promise<Descriptor[]> {
  const kind = documentKind(image.mediaType);
  if (!kind) throw new BuildError('IMAGE_INVALID', `"${image.digest}" is of type "${image.mediaType}", expected a manifest or an index`);
  const bytes = await blobs.readBytes(image.digest, maxDocumentBytes);
  if (kind === 'manifest') {
    const { config, layers } = parseManifest(bytes, `manifest "${image.digest}"`);
    return [...layers, config, image];
  }
  const found: Descriptor[] = [];
  for (const part of parseIndex(bytes, `index "${image.digest}"`).manifests) {
    if (documentKind(part.mediaType) !== 'manifest')
      throw new BuildError('IMAGE_INVALID', `index "${image.digest}" names a "${part.mediaType}"`);
    found.push(...(await imageBlobs(blobs, part)));
  }
  return [...found, image];
}
