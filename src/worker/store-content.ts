// What the worker says of the store: parts of protocol.ts.

/** What an entry of a folder of the store takes. */
export interface StoreUsage {
  readonly name: string;
  /** Allocated on the disk; what has several names counts once. */
  readonly bytes: number;
  /** With directories. */
  readonly files: number;
  readonly modifiedMs: number;
}

/** A cache mount of the store. What is not known is left out: the facts of one that an older version made come with its next use. */
export interface CacheMount {
  /** The name of its folder in `mounts/`. */
  readonly name: string;
  /** As the user wrote it. */
  readonly id?: string;
  readonly variant?: string;
  readonly sharing?: 'shared' | 'private' | 'locked';
  readonly owner?: { readonly uid: number; readonly gid: number; readonly mode: number };
  readonly createdMs?: number;
  readonly lastUsedMs?: number;
  readonly inUse: boolean;
  readonly bytes: number;
  readonly files: number;
}
