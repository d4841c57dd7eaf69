import type { BuildOptions, CacheToOption } from './build-options.ts';
import type { MountImports } from './cache-mounts/import-mounts.ts';
import { BuildError } from './diagnostics/build-error.ts';
import type { ExecuteOptions } from './execute/execute-graph.ts';
import { isFailureOfRun } from './execute/run-error.ts';
import type { Spec } from './graph/spec.ts';
import type { Vertex } from './graph/vertex.ts';
import { parseReference } from './oci/reference.ts';
import type { BuildEvent } from './progress/events.ts';
import type { Registry } from './registry/registry.ts';
import type { Session } from './session.ts';

interface CacheTools extends Pick<Session, 'worker'> {
  readonly registry: Registry;
  readonly emit: (event: BuildEvent) => void;
  readonly vertices: readonly Vertex<Spec>[];
  readonly noCache: (vertex: Vertex<Spec>) => boolean;
}

/** What cannot be meant is told before the build begins. Throws REFERENCE_INVALID. */
export function checkCaches({ cacheTo = [], cacheFrom = [] }: Pick<BuildOptions, 'cacheTo' | 'cacheFrom'>): void {
  for (const { place } of [...cacheTo, ...cacheFrom]) {
    if (!('reference' in place)) continue;
    const { digest } = parseReference(place.reference);
    if (digest === undefined) continue;
    throw new BuildError('REFERENCE_INVALID', `"${place.reference}" has a digest, and cache mounts change`, { hint: 'give a tag' });
  }
}

/** Cache mounts that a build takes from elsewhere and leaves there. Little of it is loaded where nobody asks for it. */
export class BuildCaches implements AsyncDisposable {
  readonly #options: Pick<BuildOptions, 'root' | 'cacheTo' | 'cacheFrom'>;
  readonly #tools: CacheTools;
  #imports: Promise<MountImports> | undefined;

  constructor(options: Pick<BuildOptions, 'root' | 'cacheTo' | 'cacheFrom'>, tools: CacheTools) {
    this.#options = options;
    this.#tools = tools;
  }

  /** What the steps need of it. */
  get forSteps(): Pick<ExecuteOptions, 'bringMounts'> {
    const { cacheFrom = [] } = this.#options;
    if (cacheFrom.length === 0) return {};
    const { vertices, noCache } = this.#tools;
    // Without a cache, caches begin anew.
    const anew = mountIDs(vertices.filter(noCache));
    return {
      bringMounts: async (mounts, signal) => {
        if (mounts.every(({ type }) => type !== 'cache')) return;
        this.#imports ??= this.#open(cacheFrom);
        await (await this.#imports).bring(mounts, anew, signal);
      },
    };
  }

  /** Does the work of the build, and exports after it. */
  async exportAfter<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const { cacheTo = [] } = this.#options;
    try {
      const result = await work();
      await this.#export(cacheTo, signal);
      return result;
    } catch (error) {
      const wanted = cacheTo.filter(({ onFailure }) => onFailure && isFailureOfRun(error));
      // Only after a step: an export that failed would do so again. The failure of the build is what counts.
      if (!signal.aborted) {
        await this.#export(
          wanted.map((option) => ({ ...option, ignoreError: true })),
          signal,
        );
      }
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#imports)?.[Symbol.asyncDispose]();
  }

  async #open(options: NonNullable<BuildOptions['cacheFrom']>): Promise<MountImports> {
    const { MountImports } = await import('./cache-mounts/import-mounts.ts');
    return new MountImports(options, { ...this.#tools, root: this.#options.root });
  }

  async #export(options: readonly CacheToOption[], signal: AbortSignal): Promise<void> {
    if (options.length === 0) return;
    const { exportMounts } = await import('./cache-mounts/export-mounts.ts');
    const named = mountIDs(this.#tools.vertices);
    for (const option of options) {
      try {
        await exportMounts(option, { ...this.#tools, root: this.#options.root, named }, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!option.ignoreError || !(error instanceof BuildError)) throw error;
        const message = `the cache mounts were not exported: ${error.message}`;
        this.#tools.emit({ type: 'warning', time: Date.now(), code: error.code, message });
      }
    }
  }
}

const mountIDs = (vertices: readonly Vertex<Spec>[]): ReadonlySet<string> =>
  new Set(
    vertices
      .flatMap(({ spec }) => (spec.kind === 'exec' ? spec.mounts : []))
      .flatMap((mount) => (mount.type === 'cache' ? [mount.id] : [])),
  );
