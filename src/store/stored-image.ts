import { BuildError } from '../diagnostics/build-error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { DiffID } from '../oci/digest.ts';
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

/** A layer by its blob and by its uncompressed tar. */
export interface LayerNames {
  readonly descriptor: Descriptor;
  readonly diffID: DiffID;
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

/** The layers of an image, base first, each with both of its names. Throws IMAGE_INVALID where manifest and config don't agree. */
export function layersOf({ manifest, config, descriptor }: Pick<StoredImage, 'manifest' | 'config' | 'descriptor'>): LayerNames[] {
  const { diff_ids: diffIDs } = config.rootfs;
  if (diffIDs.length !== manifest.layers.length) {
    const counts = `its manifest has ${manifest.layers.length} layers, its config ${diffIDs.length}`;
    throw new BuildError('IMAGE_INVALID', `image "${descriptor.digest}" contradicts itself: ${counts}`);
  }
  return manifest.layers.map((layer, index) => ({ descriptor: layer, diffID: diffIDs[index] as DiffID }));
}
