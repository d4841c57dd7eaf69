import type { Descriptor } from '../oci/descriptor.ts';
import type { ImageConfig } from '../oci/image-config.ts';
import type { Manifest } from '../oci/manifest.ts';
import { documentKind, maxDocumentBytes, parseImageConfig, parseIndex, parseManifest } from '../oci/parse.ts';
import { hostPlatform, selectPlatform } from '../oci/platform.ts';
import type { StoreReader } from './store.ts';

/** What the store has of one image, for one platform. */
export interface StoredImage {
  /** Of the manifest. */
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  /** Bytes of the config and the layers as they are stored and sent. */
  readonly size: number;
}

/** Reads manifest and config. Of an image for several platforms, those of this machine's, else of the first. Throws IMAGE_INVALID. */
export async function readStoredImage(store: StoreReader, image: Descriptor): Promise<StoredImage> {
  const bytes = await store.blobs.readBytes(image.digest, maxDocumentBytes);
  if (documentKind(image.mediaType) === 'index') {
    const { manifests } = parseIndex(bytes, `index "${image.digest}"`);
    const chosen = selectPlatform(manifests, hostPlatform()) ?? manifests[0];
    if (chosen && documentKind(chosen.mediaType) === 'manifest') return readStoredImage(store, chosen);
  }
  const manifest = parseManifest(bytes, `manifest "${image.digest}"`);
  const config = parseImageConfig(
    await store.blobs.readBytes(manifest.config.digest, maxDocumentBytes),
    `config "${manifest.config.digest}"`,
  );
  const size = manifest.layers.reduce((sum, layer) => sum + layer.size, manifest.config.size);
  return { descriptor: image, manifest, config, size };
}
