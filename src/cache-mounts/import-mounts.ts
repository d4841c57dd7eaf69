import type { CacheFromOption } from '../build-options.ts';
import { BuildError } from '../diagnostics/build-error.ts';
import type { BuildEvent } from '../progress/events.ts';
import { type OnProgress, runTask } from '../progress/run-task.ts';
import type { Registry } from '../registry/registry.ts';
import { transferAll } from '../registry/transfer.ts';
import { isMountID, mountID } from '../store/mount-id.ts';
import type { SandboxMount, WorkerEvent } from '../worker/protocol.ts';
import type { Worker } from '../worker/worker.ts';
import { blobName } from './archive-file.ts';
import { type Artifact, type ArtifactMount, mountKey } from './artifact.ts';
import { type ArtifactPlace, artifactPlace } from './artifact-place.ts';
import { SessionBlobs } from './packed-blobs.ts';

export interface ImportTools {
  readonly root: string;
  readonly worker: Worker;
  readonly registry: Registry;
  readonly emit: (event: BuildEvent) => void;
}

interface Source {
  readonly option: CacheFromOption;
  readonly place: ArtifactPlace;
  /** Read when the first mount is looked for. Undefined when there is nothing, or nothing that can be used: then it has been said. */
  artifact?: Promise<Artifact | undefined>;
}

/**
 * Brings cache mounts of `--cache-from` when a step first uses them: what no step asks for is not fetched. A cache is never a reason to fail:
 * whatever goes wrong is a warning, and the step begins with what there is.
 */
export class MountImports implements AsyncDisposable {
  readonly #tools: ImportTools;
  readonly #sources: readonly Source[];
  readonly #blobs: SessionBlobs;
  readonly #brought = new Map<string, Promise<void>>();

  constructor(options: readonly CacheFromOption[], tools: ImportTools) {
    this.#tools = tools;
    this.#sources = options.map((option) => ({ option, place: artifactPlace(option.place, tools.registry) }));
    this.#blobs = new SessionBlobs(tools.root, tools.worker.info.temporary);
  }

  /** For the mounts of a step, of which those of `anew` begin with nothing. */
  async bring(mounts: readonly SandboxMount[], anew: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const caches = mounts.filter(({ type, id }) => type === 'cache' && id !== undefined && !anew.has(id));
    await Promise.all(caches.map((mount) => this.#once(mount, signal)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { place } of this.#sources) await place[Symbol.asyncDispose]();
  }

  /** Two steps that begin with one mount wait for the same. */
  #once(mount: SandboxMount, signal: AbortSignal): Promise<void> {
    const named = { id: mount.id ?? '', ...(mount.variant !== undefined && { variant: mount.variant }) };
    const key = mountKey(named);
    const under = this.#brought.get(key) ?? this.#one({ ...named, sharing: mount.sharing ?? 'shared' }, signal);
    this.#brought.set(key, under);
    return under;
  }

  async #one(mount: Wanted, signal: AbortSignal): Promise<void> {
    const { id, sharing: _, ...variant } = mount;
    for (const source of this.#sources) {
      const { ids, replace = false } = source.option;
      if (ids && !ids.some((each) => isMountID(id, each))) continue;
      try {
        const there = !replace && (await this.#tools.worker.call('mount.find', { id, ...variant }, { signal })).found;
        if (there) return;
        source.artifact ??= this.#read(source, signal);
        const found = (await source.artifact)?.mounts.find((each) => mountKey(each) === mountKey(mount));
        if (!found) continue;
        await this.#take(found, mount, source, signal);
        return;
      } catch (error) {
        signal.throwIfAborted();
        this.#warn(`the cache mount "${mountID(id)}" was not taken from ${source.place.name}`, error);
      }
    }
  }

  async #read({ place }: Source, signal: AbortSignal): Promise<Artifact | undefined> {
    try {
      const artifact = await place.read(signal);
      if (!artifact) this.#warn(`there are no cache mounts in ${place.name} yet`);
      return artifact;
    } catch (error) {
      signal.throwIfAborted();
      this.#warn(`no cache mounts are taken from ${place.name}`, error);
      return undefined;
    }
  }

  #take({ id, layers }: ArtifactMount, wanted: Wanted, { place, option }: Source, signal: AbortSignal): Promise<void> {
    const { emit, worker } = this.#tools;
    const task = `import cache mount ${mountID(id)}`;
    const blobs = layers.map(({ descriptor }) => descriptor);
    // The way here is one half, unpacking the other.
    const half = blobs.reduce((sum, { size }) => sum + size, 0);
    const work = async (onProgress: OnProgress) => {
      let current = 0;
      const onBytes = (count: number) => {
        current += count;
        onProgress(current, 2 * half);
      };
      await transferAll(blobs, (blob, either) => this.#blobs.put(blob, place.blob(blob, either), onBytes), signal);
      const onEvent = (event: WorkerEvent) => event.type === 'progress' && onProgress(half + event.current, 2 * half);
      await worker.call('mount.unpack', { ...wanted, layers, replace: option.replace ?? false }, { signal, onEvent });
      await worker.call('store.discard', { paths: blobs.map(({ digest }) => `${worker.info.temporary}/${blobName(digest)}`) });
    };
    return runTask({ id: task, name: `${task} from ${place.name}`, emit }, work, signal);
  }

  #warn(message: string, cause?: unknown): void {
    const why = cause === undefined ? '' : `: ${cause instanceof Error ? cause.message : String(cause)}`;
    const code = cause instanceof BuildError ? { code: cause.code } : {};
    this.#tools.emit({ type: 'warning', time: Date.now(), message: `${message}${why}`, ...code });
  }
}

interface Wanted {
  readonly id: string;
  readonly variant?: string;
  readonly sharing: 'shared' | 'private' | 'locked';
}
