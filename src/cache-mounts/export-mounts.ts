import type { CacheToOption } from '../build-options.ts';
import { BuildError } from '../diagnostics/build-error.ts';
import { exportOCI } from '../export/image-archive.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { BuildEvent } from '../progress/events.ts';
import { type OnProgress, runTask } from '../progress/run-task.ts';
import type { Registry } from '../registry/registry.ts';
import { isMountID, mountID } from '../store/mount-id.ts';
import type { WorkerEvent } from '../worker/protocol.ts';
import type { CacheMount } from '../worker/store-content.ts';
import type { Worker } from '../worker/worker.ts';
import { type Artifact, type ArtifactMount, encodeArtifact, mountKey } from './artifact.ts';
import { ArchivePlace, type ArtifactPlace, artifactPlace, RegistryPlace } from './artifact-place.ts';
import { ArtifactBlobs, SessionBlobs } from './packed-blobs.ts';
import { putArtifact } from './put-artifact.ts';

export interface ExportTools {
  readonly root: string;
  readonly worker: Worker;
  readonly registry: Registry;
  readonly emit: (event: BuildEvent) => void;
  /** The cache mounts that the Dockerfile names, as the worker knows them. */
  readonly named: ReadonlySet<string>;
}

/**
 * Writes the cache mounts of a build to a file or to a registry. What is there already is neither packed nor sent again; a mount that cannot be
 * looked at now, or that this store never had, stays as it is there. Throws EXPORT_FAILED, IMAGE_INVALID, or a REGISTRY_… code.
 */
export async function exportMounts(option: CacheToOption, tools: ExportTools, signal: AbortSignal): Promise<void> {
  await using place = artifactPlace(option.place, tools.registry);
  const before = await place.read(signal);
  try {
    await exportOver(option, place, before, tools, signal);
  } catch (error) {
    // A registry may have lost what its own manifest names.
    const lost = before && place instanceof RegistryPlace && error instanceof BuildError && error.code === 'REGISTRY_FAILED';
    if (!lost) throw error;
    await exportOver(option, place, undefined, tools, signal);
  }
}

async function exportOver(
  option: CacheToOption,
  place: ArtifactPlace,
  before: Artifact | undefined,
  tools: ExportTools,
  signal: AbortSignal,
): Promise<void> {
  const { worker, emit, root } = tools;
  const isWanted = (id: string): boolean => (option.ids ? option.ids.some((each) => isMountID(id, each)) : tools.named.has(id));
  const kept = new Map((before?.mounts ?? []).filter(({ id }) => isWanted(id)).map((mount) => [mountKey(mount), mount]));
  const known = (before?.mounts ?? []).flatMap(({ layers }) => layers);
  const made = new Map<Digest, Descriptor>();
  for (const mount of (await worker.call('mount.list', {}, { signal })).mounts) {
    if (!isNamed(mount) || isNumbered(mount.name) || !isWanted(mount.id)) continue;
    const packed = await runTask(
      { id: `export cache mount ${mountID(mount.id)}`, emit },
      (onProgress) => worker.call('mount.pack', { name: mount.name, known }, { signal, onEvent: progressOf(onProgress) }),
      signal,
    );
    if (packed.inUse) {
      emit({ type: 'warning', time: Date.now(), message: `the cache mount "${mountID(mount.id)}" is in use, and not exported` });
      continue;
    }
    for (const layer of packed.layers) if (layer.made) made.set(layer.descriptor.digest, layer.descriptor);
    const layers = packed.layers.map(({ diffID, descriptor }) => ({ diffID, descriptor }));
    const named = { id: mount.id, ...(mount.variant !== undefined && { variant: mount.variant }) };
    kept.set(mountKey(named), { ...named, layers });
  }
  await write([...kept.values()], { place, before, known: known.map(({ descriptor }) => descriptor), made, root }, tools, signal);
}

async function write(
  mounts: readonly ArtifactMount[],
  what: {
    readonly place: ArtifactPlace;
    readonly before: Artifact | undefined;
    readonly known: readonly Descriptor[];
    readonly made: ReadonlyMap<Digest, Descriptor>;
    readonly root: string;
  },
  { worker, registry, emit }: ExportTools,
  signal: AbortSignal,
): Promise<void> {
  const { place, before, made, root } = what;
  if (mounts.length === 0) {
    emit({ type: 'warning', time: Date.now(), message: `there are no cache mounts to be written to ${place.name}` });
    return;
  }
  const { manifest, config } = encodeArtifact(mounts);
  if (before?.digest === manifest.descriptor.digest) return;
  const session = new SessionBlobs(root, worker.info.temporary).source;
  const blobs = new Map(what.known.map((blob) => [blob.digest, blob]));
  const put = async (onProgress: OnProgress) => {
    if (place instanceof RegistryPlace) {
      await putArtifact({ manifest, config, made: [...made.values()], blobs: session }, place.reference, { registry, onProgress }, signal);
    } else if (place instanceof ArchivePlace) {
      const source = new ArtifactBlobs([manifest, config], session, { place, blobs, signal });
      await exportOCI({ blobs: source, image: manifest.descriptor, names: [], destination: place.path, signal });
    }
  };
  await runTask({ id: `write cache mounts to ${place.name}`, emit }, put, signal);
}

/** Private caches have numbers: only the first of them goes. */
const isNumbered = (name: string): boolean => name.includes('-');

const isNamed = (mount: CacheMount): mount is CacheMount & { readonly id: string } => mount.id !== undefined;

const progressOf =
  (onProgress: OnProgress) =>
  (event: WorkerEvent): void => {
    if (event.type === 'progress') onProgress(event.current, event.total);
  };
