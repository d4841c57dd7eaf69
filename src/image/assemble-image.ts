import type { Descriptor } from '../oci/descriptor.ts';
import { type DiffID, type Digest, digestOf } from '../oci/digest.ts';
import type { History, ImageConfig } from '../oci/image-config.ts';
import type { Manifest } from '../oci/manifest.ts';
import { compressionOf, mediaTypes } from '../oci/media-types.ts';
import type { Plan, ResolvedImage } from '../plan/plan.ts';
import { encodeConfig, encodeManifest } from './encode.ts';

/** One layer that the build made, or took from the cache. */
export interface BuiltLayer {
  readonly diffID: DiffID;
  readonly blob: Descriptor;
  /** When the layer was first made; ISO 8601. Undefined for the empty layer, which is the same in all images: the row takes the time of its neighbours. */
  readonly created: string | undefined;
}

export interface ImageParts {
  readonly plan: Pick<Plan, 'platform' | 'epoch' | 'config' | 'author' | 'baseHistory' | 'history'>;
  /** Layers of the base image, base first; empty for scratch. */
  readonly base: ResolvedImage['layers'];
  /** By the vertex that made them: every vertex that a row of the plan's history names. */
  readonly layers: ReadonlyMap<Digest, BuiltLayer>;
  readonly annotations?: ImageAnnotations;
}

/** Of the manifest, and of the descriptor that lists it. */
export interface ImageAnnotations {
  readonly manifest: Readonly<Record<string, string>>;
  readonly descriptor: Readonly<Record<string, string>>;
}

/** One blob to be stored: put it under its descriptor. */
export interface Document<T> {
  readonly value: T;
  readonly bytes: Buffer;
  readonly descriptor: Descriptor;
}

export interface AssembledImage {
  readonly config: Document<ImageConfig>;
  /** Its descriptor is the image's. */
  readonly manifest: Document<Manifest>;
}

/** Makes config and manifest. The same parts give the same bytes. */
export function assembleImage({ plan, base, layers, annotations }: ImageParts): AssembledImage {
  const rows = plan.history.map(({ createdBy, vertex }) => ({
    createdBy,
    layer: vertex === undefined ? undefined : layerOf(vertex, layers),
  }));
  const added = rows.flatMap(({ layer }) => layer ?? []);
  const history = stamp([...completeHistory(plan.baseHistory, base.length), ...rows.map((row) => rowOf(row, epochTime(plan.epoch)))]);
  const created = history.at(-1)?.created;
  const config = document(mediaTypes.config, encodeConfig, {
    ...(created === undefined ? {} : { created }),
    ...(plan.author === undefined ? {} : { author: plan.author }),
    ...plan.platform,
    config: plan.config,
    rootfs: { type: 'layers', diff_ids: [...base, ...added].map(({ diffID }) => diffID) },
    history,
  });
  const blobs = [...base.map(({ descriptor }) => descriptor), ...added.map(({ blob }) => blob)];
  const manifest = document(mediaTypes.manifest, encodeManifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: config.descriptor,
    layers: blobs.map(layerDescriptor),
    ...(isFilled(annotations?.manifest) && { annotations: annotations.manifest }),
  });
  const descriptor = {
    ...manifest.descriptor,
    ...(isFilled(annotations?.descriptor) && { annotations: annotations.descriptor }),
    platform: plan.platform,
  };
  return { config, manifest: { ...manifest, descriptor } };
}

const isFilled = <T extends object>(map: T | undefined): map is T => map !== undefined && Object.keys(map).length > 0;

/** What BuildKit says of its own rows; readers of a history know it. */
const comment = 'buildkit.dockerfile.v0';

const ociLayerTypes = { none: mediaTypes.layer, gzip: mediaTypes.layerGzip, zstd: mediaTypes.layerZstd } as const;

interface Row {
  readonly createdBy: string;
  readonly layer: BuiltLayer | undefined;
}

function layerOf(vertex: Digest, layers: ImageParts['layers']): BuiltLayer {
  const layer = layers.get(vertex);
  if (!layer) throw new Error(`no layer was made for vertex "${vertex}"`);
  return layer;
}

/** With an epoch every new row has that time, also one without a layer; rows of the base keep theirs. */
function rowOf({ createdBy, layer }: Row, epoch: string | undefined): History {
  const created = epoch ?? layer?.created;
  // A step that changed nothing has a layer all the same, one without entries: `empty_layer` is for those that cannot have one.
  const empty = layer ? {} : { empty_layer: true };
  return { ...(created !== undefined && { created }), created_by: createdBy, comment, ...empty };
}

const epochTime = (seconds: number | undefined): string | undefined =>
  seconds === undefined ? undefined : new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');

/**
 * One row for each layer of the base. Some writers give no history, or only a part of it; one that does not fit is dropped, since rows
 * under wrong layers would be worse than none. Source: BuildKit, exporter/containerimage, `normalizeLayersAndHistory`.
 */
function completeHistory(history: readonly History[], layers: number): readonly History[] {
  const rows = history.filter((row) => !row.empty_layer).length;
  const kept = rows > layers ? [] : history;
  const missing = layers - (rows > layers ? 0 : rows);
  return [...kept, ...Array.from({ length: missing }, () => ({ created_by: '', comment: 'no history in the base image' }))];
}

/**
 * Gives each row without a time that of the first new layer after it, where there is one, else the one before it. So metadata rows of
 * an unchanged build have the same times again. Source: as above.
 */
function stamp(history: readonly History[]): History[] {
  const firstGap = history.findIndex(({ created }) => created === undefined);
  const afterGap = firstGap < 0 ? undefined : history.slice(firstGap).find(({ created }) => created !== undefined)?.created;
  const beforeGap = firstGap < 0 ? undefined : history.slice(0, firstGap).findLast(({ created }) => created !== undefined)?.created;
  let created = afterGap ?? beforeGap;
  return history.map((row, at) => {
    if (row.created !== undefined && at > firstGap) created = row.created;
    return row.created !== undefined || created === undefined ? row : { created, ...row };
  });
}

/** Base layers of a Docker image get the OCI name of the same form: the bytes are the same, and a manifest has one kind of names. */
function layerDescriptor({ mediaType, digest, size }: Descriptor): Descriptor {
  const compression = compressionOf(mediaType);
  return { mediaType: compression ? ociLayerTypes[compression] : mediaType, digest, size };
}

function document<T>(mediaType: string, encode: (value: T) => Buffer, value: T): Document<T> {
  const bytes = encode(value);
  return { value, bytes, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } };
}
