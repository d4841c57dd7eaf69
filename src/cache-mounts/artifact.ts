import { BuildError } from '../diagnostics/build-error.ts';
import { encodeConfig, encodeManifest } from '../image/encode.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type DiffID, digestOf } from '../oci/digest.ts';
import { compressionOf, mediaTypes } from '../oci/media-types.ts';
import { parseImageConfig, parseManifest } from '../oci/parse.ts';

// Cache mounts as an OCI artifact: a manifest whose layers are tars of files, each with the id of its mount in its annotations. The config
// is that of an image without a platform, because many registries take no other; its diffIDs are those of the layers.

export const artifactType = 'application/vnd.cooper.cache-mounts.v1';
const idAnnotation = 'dev.cooper.cache-mount.id';
const variantAnnotation = 'dev.cooper.cache-mount.variant';

/** A tar of files, uncompressed and as it is stored. */
export interface MountLayer {
  readonly diffID: DiffID;
  readonly descriptor: Descriptor;
}

/** A cache mount in an artifact. */
export interface ArtifactMount {
  /** As the worker knows it: the id behind its namespace. */
  readonly id: string;
  readonly variant?: string;
  readonly layers: readonly MountLayer[];
}

export interface Document {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

export interface Artifact {
  readonly mounts: readonly ArtifactMount[];
  /** Of the manifest. */
  readonly digest: string;
}

/** Manifest and config. Equal mounts give equal bytes, in whatever order they come. */
export function encodeArtifact(mounts: readonly ArtifactMount[]): { readonly manifest: Document; readonly config: Document } {
  const sorted = mounts.toSorted((a, b) => (mountKey(a) < mountKey(b) ? -1 : 1));
  const layers = sorted.flatMap(({ id, variant, layers }) => {
    const annotations = { [idAnnotation]: id, ...(variant !== undefined && { [variantAnnotation]: variant }) };
    return layers.map(({ diffID, descriptor: { mediaType, digest, size } }) => ({
      diffID,
      descriptor: { mediaType, digest, size, annotations },
    }));
  });
  const rootfs = { type: 'layers', diff_ids: layers.map(({ diffID }) => diffID) } as const;
  const config = document(encodeConfig({ architecture: 'unknown', os: 'unknown', rootfs }), mediaTypes.config);
  const descriptors = layers.map(({ descriptor }) => descriptor);
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    artifactType,
    config: config.descriptor,
    layers: descriptors,
  } as const;
  return { config, manifest: document(encodeManifest(manifest), mediaTypes.manifest) };
}

/** The descriptor of the config, which `parseArtifact` needs too. Undefined for a manifest of anything else. Throws IMAGE_INVALID. */
export function configOf(manifest: Buffer, what: string): Descriptor | undefined {
  const parsed = parseManifest(manifest, what);
  return parsed.artifactType === artifactType ? parsed.config : undefined;
}

/** What an artifact of somebody else's holds. Throws IMAGE_INVALID. */
export function parseArtifact({ manifest, config }: { readonly manifest: Buffer; readonly config: Buffer }, what: string): Artifact {
  const { layers } = parseManifest(manifest, what);
  const { diff_ids: diffIDs } = parseImageConfig(config, `the config of ${what}`).rootfs;
  if (diffIDs.length !== layers.length) {
    throw new BuildError('IMAGE_INVALID', `${what} has ${layers.length} layers and ${diffIDs.length} diffIDs`);
  }
  const mounts = new Map<string, { id: string; variant?: string; layers: MountLayer[] }>();
  layers.forEach(({ mediaType, digest, size, annotations = {} }, at) => {
    const { [idAnnotation]: id, [variantAnnotation]: variant } = annotations;
    if (id === undefined || !compressionOf(mediaType)) throw new BuildError('IMAGE_INVALID', `${what}: layer ${at} is of no cache mount`);
    const named = { id, ...(variant !== undefined && { variant }) };
    const mount = mounts.get(mountKey(named)) ?? { ...named, layers: [] };
    mount.layers.push({ diffID: diffIDs[at] as DiffID, descriptor: { mediaType, digest, size } });
    mounts.set(mountKey(named), mount);
  });
  return { mounts: [...mounts.values()], digest: digestOf(manifest) };
}

/** What tells mounts apart. */
export const mountKey = ({ id, variant }: Pick<ArtifactMount, 'id' | 'variant'>): string => JSON.stringify([id, variant ?? null]);

const document = (bytes: Buffer, mediaType: string): Document => ({
  bytes,
  descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length },
});
