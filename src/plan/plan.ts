import type { Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { DiffID, Digest } from '../oci/digest.ts';
import type { ContainerConfig, History, ImageConfig } from '../oci/image-config.ts';
import type { Platform } from '../oci/platform.ts';

/** What the planner has to know of a base image. */
export interface ResolvedImage {
  /** Full reference: `docker.io/library/debian:bookworm`. */
  readonly reference: string;
  /** Of the platform's manifest. */
  readonly digest: Digest;
  readonly config: ImageConfig;
  readonly layers: readonly { readonly descriptor: Descriptor; readonly diffID: DiffID }[];
}

/** Finds base images. Fails with BASE_NOT_FOUND or a REGISTRY_… code; the planner adds the range. */
export interface ImageResolver {
  resolve(reference: string, platform: Platform, signal: AbortSignal): Promise<ResolvedImage>;
}

/** One row of the image's history to be. `vertex`: the layer it stands for; without one it is an empty row. */
export interface PlannedHistory {
  readonly createdBy: string;
  readonly vertex?: Digest;
}

/** What a Dockerfile asks for, for one target and platform. */
export interface Plan {
  readonly target: Vertex<Spec>;
  /** Every vertex that the target needs, in the order of the Dockerfile. */
  readonly vertices: readonly Vertex<Spec>[];
  readonly platform: Platform;
  /** SOURCE_DATE_EPOCH, in seconds: the time of every new row. */
  readonly epoch?: number | undefined;
  /** The image config, but for rootfs, history and times. */
  readonly config: ContainerConfig;
  readonly author: string | undefined;
  /** Rows of the base image, unchanged, then ours. */
  readonly baseHistory: readonly History[];
  readonly history: readonly PlannedHistory[];
  readonly warnings: readonly PlanWarning[];
  /** Vertices that are run again, whatever the cache has. */
  readonly noCache: ReadonlySet<Digest>;
}

export interface PlanWarning {
  readonly code: string;
  readonly message: string;
  readonly line?: number;
}
