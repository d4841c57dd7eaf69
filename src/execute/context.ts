import type { Duplex } from 'node:stream';
import type { ResourceOptions } from '../build-options.ts';
import type { Certificates } from '../context/certificates.ts';
import type { IgnoreRules } from '../context/ignore-file.ts';
import type { Edits } from '../devices/edits.ts';
import type { Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import type { Digest } from '../oci/digest.ts';
import type { LayerForm, SandboxMount, SandboxSecurity } from '../worker/protocol.ts';
import type { Worker } from '../worker/worker.ts';
import type { LayerProvider } from './layer-provider.ts';
import type { RemoteSources } from './remote-sources.ts';

/** What the ops of one build share. */
export interface ExecuteContext {
  readonly worker: Worker;
  readonly layers: LayerProvider;
  readonly usage: LayerUsage;
  /** What a context leaves out, by its name; the same name is its handle in the worker. */
  readonly ignored: ReadonlyMap<string, IgnoreRules>;
  /** What the steps name in a context, by its name. */
  readonly named: ReadonlyMap<string, readonly (readonly string[])[]>;
  /** What is fetched by http and git. */
  readonly remote: RemoteSources;
  /** Ids of the secrets that were given to the worker. */
  readonly secrets: ReadonlySet<string>;
  /** Digests of those whose change makes steps run again. */
  readonly secretDigests: ReadonlyMap<string, Digest>;
  /** How to reach the agents that were given, by id. */
  readonly agents: ReadonlyMap<string, () => Duplex>;
  /** Other walls than the usual ones, for every RUN. */
  readonly security: SandboxSecurity | undefined;
  /** What each RUN may use. */
  readonly resources: ResourceOptions;
  /** What a container with these devices gets. */
  readonly devices: (names: readonly string[]) => Edits;
  /** Of authorities that RUN trusts besides the image's. */
  readonly certificates: Certificates | undefined;
  /** Brings cache mounts from elsewhere that the store lacks, before a step uses them. */
  readonly bringMounts?: (mounts: readonly SandboxMount[], signal: AbortSignal) => Promise<void>;
  readonly onOutput: (vertex: Vertex<Spec>, stream: 'stdout' | 'stderr', text: string) => void;
  /** Fulfilled when the reader of the output has caught up. */
  readonly keptUp: () => Promise<void>;
  readonly onWarning: (message: string) => void;
}

/** What becomes of the layer that a vertex makes. */
export interface LayerUsage {
  /** Compressed at once where the layer is part of the image, so that the export has nothing left to do. */
  form(vertex: Vertex<Spec>): LayerForm;
  /** Whether a later step needs the files on disk. */
  onDisk(vertex: Vertex<Spec>): boolean;
}
