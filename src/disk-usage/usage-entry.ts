/** As `docker buildx du` calls them: layers and documents of images; cache mounts; files for ADD and contexts; what only speeds things up. */
export const usageTypes = ['regular', 'exec.cachemount', 'source.http', 'source.git.checkout', 'internal'] as const;
export type UsageType = (typeof usageTypes)[number];

/** Something in the store that can go by itself. */
export interface UsageEntry {
  /** What `--filter id=` takes: the id of a cache mount, else the beginning of a digest. */
  readonly id: string;
  readonly type: UsageType;
  readonly description: string;
  /** On the disk. */
  readonly bytes: number;
  readonly createdMs?: number;
  readonly lastUsedMs?: number;
  /** Whether a step that runs now uses it. */
  readonly inUse: boolean;
  /** Whether nothing that has a name needs it. */
  readonly reclaimable: boolean;
  /** Relative to the store; empty for a cache mount. */
  readonly paths: readonly string[];
  /** The name of a cache mount in the store. */
  readonly mount?: string;
}
