import { BuildError } from './diagnostics/build-error.ts';
import type { Descriptor } from './oci/descriptor.ts';
import type { ImageConfig } from './oci/image-config.ts';
import type { Manifest } from './oci/manifest.ts';
import { compressionOf } from './oci/media-types.ts';
import { documentKind, maxDocumentBytes, parseImageConfig, parseIndex, parseManifest } from './oci/parse.ts';
import { formatPlatform, type Platform, platformMatches, selectPlatform } from './oci/platform.ts';
import { familiarReference, formatReference, parseReference, type Reference } from './oci/reference.ts';
import type { ResolvedImage } from './plan/plan.ts';
import type { Registry, RemoteDocument } from './registry/registry.ts';
import { counted, type OnTransfer, transferAll } from './registry/transfer.ts';
import { ImageLayout, parseLayoutReference } from './store/image-layout.ts';
import type { Ref } from './store/ref-store.ts';
import type { Store } from './store/store.ts';

export interface PullOptions {
  readonly store: Store;
  readonly registry: Registry;
  /** Asks the registry also for what the store has under that name. */
  readonly pull?: boolean;
  readonly onTransfer?: OnTransfer;
  /** Names that are `oci-layout://…`: only what the user himself has named is read from this machine, never what a FROM says. */
  readonly layouts?: ReadonlySet<string>;
}

/** Where an image comes from. */
interface ImageSource {
  document(reference: Reference, signal: AbortSignal): Promise<RemoteDocument>;
  blob(reference: Reference, blob: Descriptor, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** An image whose manifest and config are in the store; its layers may not be. */
export interface FoundBase extends ResolvedImage {
  /** Undefined for one of a registry. */
  readonly layout?: ImageLayout;
  /** Of the platform's manifest. */
  readonly descriptor: Descriptor;
}

/**
 * Finds an image by its name: in the store, else in its registry. No layer is fetched. Throws BASE_NOT_FOUND, PLATFORM_UNSUPPORTED,
 * REFERENCE_INVALID, IMAGE_INVALID or a REGISTRY_… code.
 */
export async function resolveImage(text: string, platform: Platform, options: PullOptions, signal: AbortSignal): Promise<FoundBase> {
  if (options.layouts?.has(text)) return fromLayout(text, platform, options, signal);
  const reference = parseReference(text);
  const kept = options.pull ? undefined : await options.store.refs.get(formatReference(reference));
  return (kept && (await fromStore(reference, kept, platform, options.store))) ?? fromRegistry(reference, platform, options, signal);
}

const layoutScheme = 'oci-layout://';

/** An image of a layout on this machine, checked as one of a registry is. It gets no name in the store. */
async function fromLayout(text: string, platform: Platform, options: PullOptions, signal: AbortSignal): Promise<FoundBase> {
  const reference = parseLayoutReference(text.slice(layoutScheme.length));
  const layout = new ImageLayout(reference.directory);
  const { digest } = await layout.find(reference);
  const source: ImageSource = {
    document: ({ digest: wanted = digest }) => layout.document(wanted),
    blob: (_reference, blob) => layout.blob(blob),
  };
  // A name for messages: a layout has a path where an image has a repository.
  const named = { registry: 'localhost', repository: 'oci-layout', digest };
  const image = await fromSource(named, platform, { ...options, source }, signal);
  return { ...image, reference: `${layoutScheme}${reference.directory}@${image.digest}`, layout };
}

/** Brings the layers that the store lacks, side by side, and names an image of a registry: from now on it is found without that. */
export async function fetchLayers(image: FoundBase, options: PullOptions, signal: AbortSignal): Promise<Ref | undefined> {
  const { store, registry, onTransfer } = options;
  const { layout } = image;
  const fetchOne = async (blob: Descriptor, either: AbortSignal) => {
    onTransfer?.({ type: 'started', blob });
    const isThere = (await store.blobs.stat(blob.digest))?.size === blob.size;
    if (!isThere) {
      const content = layout?.blob(blob) ?? registry.blob(parseReference(image.reference), blob, either);
      const bytes = counted(content, blob, onTransfer);
      await store.blobs.put(bytes, blob.mediaType, { expected: blob, signal: either });
    }
    onTransfer?.({ type: 'completed', blob, how: isThere ? 'existed' : 'downloaded' });
  };
  await transferAll(
    image.layers.map(({ descriptor }) => descriptor),
    fetchOne,
    signal,
  );
  return layout ? undefined : store.refs.set(image.reference, image.descriptor);
}

/** Brings a whole image, of one platform, and names it. */
export async function pullImage(text: string, platform: Platform, options: PullOptions, signal: AbortSignal): Promise<Ref> {
  const image = await resolveImage(text, platform, { ...options, pull: true }, signal);
  const ref = await fetchLayers(image, options, signal);
  if (!ref) throw new TypeError('what is pulled has a name');
  return ref;
}

/** Undefined when the store's image is of another platform: the registry may have the right one. */
async function fromStore(reference: Reference, { descriptor }: Ref, platform: Platform, { blobs }: Store): Promise<FoundBase | undefined> {
  const wanted = documentKind(descriptor.mediaType) === 'index' ? await select() : descriptor;
  if (!wanted) return undefined;
  const manifest = parseManifest(await blobs.readBytes(wanted.digest, maxDocumentBytes));
  const config = parseImageConfig(await blobs.readBytes(manifest.config.digest, maxDocumentBytes));
  return fits(config, platform) ? found(reference, wanted, manifest, config) : undefined;

  async function select(): Promise<Descriptor | undefined> {
    return selectPlatform(parseIndex(await blobs.readBytes(descriptor.digest, maxDocumentBytes)).manifests, platform);
  }
}

async function fromRegistry(reference: Reference, platform: Platform, options: PullOptions, signal: AbortSignal): Promise<FoundBase> {
  const image = await fromSource(reference, platform, { ...options, source: options.registry }, signal);
  const { registry: host, repository } = reference;
  for (const layer of image.layers) await options.store.origins.add(layer.descriptor.digest, { registry: host, repository });
  return image;
}

async function fromSource(
  reference: Reference,
  platform: Platform,
  { store, source }: PullOptions & { readonly source: ImageSource },
  signal: AbortSignal,
): Promise<FoundBase> {
  const { descriptor, bytes } = await platformDocument(reference, platform, source, signal);
  const manifest = parseManifest(bytes, `the manifest of "${familiarReference(reference)}"`);
  if (manifest.config.size > maxDocumentBytes) {
    throw new BuildError('IMAGE_INVALID', `the config of "${familiarReference(reference)}" is longer than ${maxDocumentBytes} bytes`);
  }
  if ((await store.blobs.stat(manifest.config.digest))?.size !== manifest.config.size) {
    const content = source.blob(reference, manifest.config, signal);
    await store.blobs.put(content, manifest.config.mediaType, { expected: manifest.config, signal });
  }
  const config = parseImageConfig(
    await store.blobs.readBytes(manifest.config.digest, maxDocumentBytes),
    `the config of "${familiarReference(reference)}"`,
  );
  if (!fits(config, platform)) throw wrongPlatform(reference, platform, [config]);
  const image = found(reference, descriptor, manifest, config);
  await store.blobs.put(bytes, descriptor.mediaType);
  return image;
}

async function platformDocument(
  reference: Reference,
  platform: Platform,
  source: ImageSource,
  signal: AbortSignal,
): Promise<RemoteDocument> {
  const document = await source.document(reference, signal);
  if (documentKind(document.descriptor.mediaType) === 'manifest') return document;
  const { manifests } = parseIndex(document.bytes, `the index of "${familiarReference(reference)}"`);
  const selected = selectPlatform(
    manifests.filter(({ mediaType }) => documentKind(mediaType) === 'manifest'),
    platform,
  );
  if (!selected)
    throw wrongPlatform(
      reference,
      platform,
      manifests.flatMap(({ platform: offered }) => offered ?? []),
    );
  const { registry: host, repository } = reference;
  const found = await source.document({ registry: host, repository, digest: selected.digest }, signal);
  if (documentKind(found.descriptor.mediaType) === 'manifest')
    return { ...found, descriptor: { ...found.descriptor, ...(selected.platform && { platform: selected.platform }) } };
  throw new BuildError(
    'IMAGE_INVALID',
    `the index of "${familiarReference(reference)}" names "${selected.digest}" as a manifest, and it is none`,
  );
}

function found(reference: Reference, descriptor: Descriptor, manifest: Manifest, config: ImageConfig): FoundBase {
  const { diff_ids: diffIDs } = config.rootfs;
  const name = familiarReference(reference);
  if (manifest.layers.length !== diffIDs.length) {
    throw new BuildError('IMAGE_INVALID', `"${name}" has ${manifest.layers.length} layers and ${diffIDs.length} diffIDs`, {
      hint: 'who made this image has to mend it',
    });
  }
  const layers = diffIDs.flatMap((diffID, at) => {
    const layer = manifest.layers[at];
    return layer ? [{ descriptor: layerOf(layer, name), diffID }] : [];
  });
  return { reference: formatReference(reference), digest: descriptor.digest, descriptor, config, layers };
}

function layerOf({ mediaType, digest, size }: Descriptor, name: string): Descriptor {
  if (compressionOf(mediaType)) return { mediaType, digest, size };
  const hint = 'only tar layers, plain or compressed with gzip or zstd, can be built upon';
  throw new BuildError('IMAGE_INVALID', `"${name}" has a layer of type "${mediaType}"`, { hint });
}

/** Some tools write configs without a platform, and many without a variant: those are taken to fit. */
function fits({ os, architecture, variant }: ImageConfig, wanted: Platform): boolean {
  if (os === '' || architecture === '') return true;
  const known = variant || wanted.variant;
  return platformMatches({ os, architecture, ...(known ? { variant: known } : {}) }, wanted);
}

function wrongPlatform(reference: Reference, wanted: Platform, offered: readonly Platform[]): BuildError {
  const texts = [...new Set(offered.filter(({ os }) => os !== '' && os !== 'unknown').map(formatPlatform))].slice(0, 20);
  return new BuildError('PLATFORM_UNSUPPORTED', `"${familiarReference(reference)}" has no platform "${formatPlatform(wanted)}"`, {
    hint: texts.length === 0 ? 'its index names no platform' : `it has ${texts.map((text) => `"${text}"`).join(', ')}`,
  });
}
