import { availableParallelism } from 'node:os';
import pLimit from 'p-limit';
import type { ResourceOptions } from '../build-options.ts';
import type { Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import type { DiffID, Digest } from '../oci/digest.ts';
import type { BuildEvent } from '../progress/events.ts';
import { solve } from '../solve/solve.ts';
import type { Store } from '../store/store.ts';
import type { Worker } from '../worker/worker.ts';
import type { ExecuteContext } from './context.ts';
import { discardCacheMounts } from './exec-mounts.ts';
import { asFilesystem, emptyDiffID, layersOf, layerUnder } from './filesystem.ts';
import type { LayerProvider } from './layer-provider.ts';
import { layerUsage } from './layer-usage.ts';
import { opFor } from './ops.ts';
import { RecordCache } from './record-cache.ts';
import type { RemoteSources } from './remote-sources.ts';
import { namedPaths } from './sent-paths.ts';

export interface ExecuteOptions {
  readonly worker: Worker;
  readonly store: Store;
  readonly layers: LayerProvider;
  readonly remote: RemoteSources;
  readonly ignored: ExecuteContext['ignored'];
  readonly secrets: ReadonlySet<string>;
  readonly secretDigests: ExecuteContext['secretDigests'];
  readonly agents: ExecuteContext['agents'];
  readonly security: ExecuteContext['security'];
  readonly devices: ExecuteContext['devices'];
  readonly resources: ResourceOptions;
  readonly certificates: ExecuteContext['certificates'];
  readonly bringMounts?: ExecuteContext['bringMounts'];
  readonly noCache: (vertex: Vertex<Spec>) => boolean;
  /** What the result is for: an image wants compressed layers, a directory wants files. */
  readonly wanted: { readonly image: boolean; readonly files: boolean };
  readonly emit: (event: BuildEvent) => void;
  /** Fulfilled when the reader of the events has caught up: a step that prints much waits for it. */
  readonly keptUp: () => Promise<void>;
}

/** The target's filesystem, and the layer that each vertex made. */
export interface ExecutedGraph {
  /** Layers of the target, base first, empty ones left out. */
  readonly diffIDs: readonly DiffID[];
  /** By vertex digest; an empty layer is there too. */
  readonly layerOf: ReadonlyMap<Digest, DiffID>;
}

/** Runs the graph by the worker, as far as the cache does not have it. */
export async function executeGraph(
  { vertices, target }: { readonly vertices: readonly Vertex<Spec>[]; readonly target: Vertex<Spec> },
  options: ExecuteOptions,
  signal: AbortSignal,
): Promise<ExecutedGraph> {
  const { emit, store, layers } = options;
  const context = contextOf(vertices, target, options);
  await discardCacheMounts(vertices.filter(options.noCache), options.worker, signal);
  const results = await solve(vertices, {
    op: (vertex) => opFor(vertex, context),
    cache: new RecordCache(store, layers),
    limits: limits(),
    noCache: options.noCache,
    signal,
    onStarted: ({ digest, name }) => emit({ type: 'vertex.started', time: Date.now(), vertex: digest, name }),
    onCompleted: ({ digest }, cached) => emit({ type: 'vertex.completed', time: Date.now(), vertex: digest, cached }),
    onFailed: ({ digest }, error) => emit({ type: 'vertex.failed', time: Date.now(), vertex: digest, message: messageOf(error) }),
  });
  const layerOf = new Map<Digest, DiffID>();
  for (const [digest, result] of results) {
    const layer = result.kind === 'filesystem' ? layerUnder(result, 0) : undefined;
    if (layer) layerOf.set(digest, layer.diffID);
  }
  const all = layersOf(asFilesystem(results.get(target.digest))).map(({ diffID }) => diffID);
  const diffIDs = all.filter((diffID) => diffID !== emptyDiffID);
  if (options.wanted.image && diffIDs.length > mostLayers) {
    const message = `the image has ${diffIDs.length} layers: Docker runs none with more than ${mostLayers}`;
    emit({ type: 'warning', time: Date.now(), message });
  }
  // A layer of the cache may be there as a blob alone.
  if (options.wanted.files) await layers.ensureSnapshots(diffIDs, signal);
  return { diffIDs, layerOf };
}

/** What overlay2 of Docker mounts at most. Source: moby, daemon/graphdriver/overlay2, `maxDepth` (128 with the container’s own). */
const mostLayers = 127;

function contextOf(vertices: readonly Vertex<Spec>[], target: Vertex<Spec>, options: ExecuteOptions): ExecuteContext {
  const { emit } = options;
  return {
    worker: options.worker,
    layers: options.layers,
    remote: options.remote,
    usage: layerUsage(vertices, target, options.wanted),
    ignored: options.ignored,
    named: namedPaths(vertices),
    secrets: options.secrets,
    secretDigests: options.secretDigests,
    agents: options.agents,
    security: options.security,
    devices: options.devices,
    resources: options.resources,
    certificates: options.certificates,
    ...(options.bringMounts && { bringMounts: options.bringMounts }),
    onOutput: ({ digest }, stream, text) => emit({ type: 'vertex.output', time: Date.now(), vertex: digest, stream, text }),
    keptUp: options.keptUp,
    onWarning: (message) => emit({ type: 'warning', time: Date.now(), message }),
  };
}

/** Programs often wait, so many may run at once; transfers keep a core or the disk busy. */
const limits = () => ({ exec: pLimit(Math.max(16, 4 * availableParallelism())), transfer: pLimit(Math.max(4, availableParallelism())) });

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
