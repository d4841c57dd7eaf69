import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type BlobSource, type BlobStore, LayoutBlobStore, LayoutBlobs } from './blob-store.ts';
import { CacheRecordFiles, type CacheRecords } from './cache-records.ts';
import { FetchedFolders } from './fetched-folders.ts';
import { LayerFactsFiles, type LayerFactsStore } from './layer-facts.ts';
import { initializeLayout } from './layout.ts';
import { OriginFiles, type Origins } from './origins.ts';
import { RefFileStore, RefFiles, type RefSource, type RefStore } from './ref-store.ts';
import { type KeyedDigest, keyedDigest } from './secret-key.ts';
import { storing } from './store-error.ts';
import { TemporaryFiles } from './temporary-files.ts';

/** Takes locks that die with their holder. Node has no flock, so the worker takes them. */
export interface Locker {
  /** Waits. Freed by disposing of the value. */
  acquire(name: string, exclusive: boolean): Promise<AsyncDisposable>;
}

export interface StoreOptions {
  /** Where this process puts temporary files, relative to the root: `tmp/<lease>`. */
  readonly temporary: string;
  readonly locks: Locker;
}

/** What can be read of a store without a worker: it may change meanwhile, but each answer is of something whole. */
export interface StoreReader {
  readonly root: string;
  readonly blobs: BlobSource;
  readonly refs: RefSource;
}

/** An OCI image layout with our own folders beside it (ARCHITECTURE.md, "The store"). Several processes may share one. */
export class Store implements StoreReader {
  /** Absolute. */
  readonly root: string;
  readonly blobs: BlobStore;
  readonly refs: RefStore;
  readonly layers: LayerFactsStore;
  readonly records: CacheRecords;
  readonly origins: Origins;
  readonly fetched: FetchedFolders;
  /** Its key is made when it is first asked for. */
  readonly keyedDigest: () => Promise<KeyedDigest>;

  private constructor(root: string, temporary: TemporaryFiles, locks: Locker) {
    this.root = root;
    this.blobs = new LayoutBlobStore(root, temporary);
    this.refs = new RefFileStore(root, { blobs: this.blobs, temporary, locks });
    this.layers = new LayerFactsFiles(root, temporary);
    this.records = new CacheRecordFiles(root, temporary);
    this.origins = new OriginFiles(root, temporary);
    this.fetched = new FetchedFolders(root, temporary);
    this.keyedDigest = () => keyedDigest(root, temporary);
  }

  /** Opens a store to write, and makes what is missing of it. The worker has taken the lease that `temporary` names. */
  static async open(root: string, { temporary, locks }: StoreOptions): Promise<Store> {
    await storing('be made', async () => {
      // Only the owner may look in: setuid files lie in snapshots.
      await mkdir(root, { recursive: true, mode: 0o700 });
      for (const folder of ['blobs/sha256', 'refs', 'layers', 'records', 'origins', 'http', 'git'])
        await mkdir(join(root, folder), { recursive: true });
    });
    const files = new TemporaryFiles(root, temporary);
    await files.prepare();
    await initializeLayout(root, files);
    return new Store(root, files, locks);
  }

  /** Opens a store to read images and names. One that does not exist is an empty one. */
  static openForReading(root: string): StoreReader {
    return { root, blobs: new LayoutBlobs(root), refs: new RefFiles(root) };
  }
}
