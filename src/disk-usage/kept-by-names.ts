import { BuildError } from '../diagnostics/build-error.ts';
import type { DiffID, Digest } from '../oci/digest.ts';
import { documentKind, maxDocumentBytes, parseImageConfig, parseManifest } from '../oci/parse.ts';
import { imageBlobs } from '../store/image-blobs.ts';
import type { Ref } from '../store/ref-store.ts';
import type { StoreReader } from '../store/store.ts';

/** What the images that have names are made of: this is never deleted. */
export interface Kept {
  /** Names of the images, by blob. */
  readonly blobs: ReadonlyMap<Digest, readonly string[]>;
  /** The same by layer. */
  readonly layers: ReadonlyMap<DiffID, readonly string[]>;
  /** Images that cannot be read: what they need is not known. */
  readonly damaged: readonly BuildError[];
}

/** Follows every name of the store to the blobs and layers below it. */
export async function keptByNames(store: StoreReader): Promise<Kept> {
  const blobs = new Map<Digest, string[]>();
  const layers = new Map<DiffID, string[]>();
  const damaged: BuildError[] = [];
  for (const ref of await store.refs.list()) {
    try {
      const parts = await partsOf(store, ref);
      for (const digest of parts.blobs) add(blobs, digest, ref.name);
      for (const diffID of parts.layers) add(layers, diffID, ref.name);
    } catch (error) {
      if (!(error instanceof BuildError) || error.code !== 'IMAGE_INVALID') throw error;
      damaged.push(error);
    }
  }
  return { blobs, layers, damaged };
}

async function partsOf({ blobs }: StoreReader, { descriptor }: Ref): Promise<{ blobs: Digest[]; layers: DiffID[] }> {
  const all = await imageBlobs(blobs, descriptor);
  const manifests = all.filter(({ mediaType }) => documentKind(mediaType) === 'manifest');
  const layers = manifests.map(async ({ digest }) => {
    const { config } = parseManifest(await blobs.readBytes(digest, maxDocumentBytes));
    return parseImageConfig(await blobs.readBytes(config.digest, maxDocumentBytes)).rootfs.diff_ids;
  });
  return { blobs: all.map(({ digest }) => digest), layers: (await Promise.all(layers)).flat() };
}

function add<Key>(map: Map<Key, string[]>, key: Key, name: string): void {
  const names = map.get(key);
  if (names) names.push(name);
  else map.set(key, [name]);
}
