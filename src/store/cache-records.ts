import { join } from 'node:path';
import { type ChainID, type DiffID, type Digest, hexOf, isDigest } from '../oci/digest.ts';
import { readSealed, sealed } from './checked-file.ts';
import type { TemporaryFiles } from './temporary-files.ts';

/** What a step put out, kept under one of its two keys (ARCHITECTURE.md, "Two keys, one record"). */
export interface CacheRecord {
  readonly version: 1;
  readonly kind: 'definition' | 'content';
  /** What the key was made of: names, and the digests of the values. */
  readonly fields: readonly (readonly [name: string, value: Digest])[];
  /** The chains that the inputs stood on. */
  readonly inputs: readonly (ChainID | 'scratch')[];
  readonly layer: DiffID;
  /** When the layer was made; ISO 8601. */
  readonly created: string;
}

/** Cache records by key. A record that is torn, foreign or of another version is a miss. */
export interface CacheRecords {
  get(key: Digest): Promise<CacheRecord | undefined>;
  /** The last one wins. Not synced: a lost record costs a step, never a wrong result. */
  put(key: Digest, record: CacheRecord): Promise<void>;
}

/** Records in the files of `records/`. */
export class CacheRecordFiles implements CacheRecords {
  readonly #directory: string;
  readonly #temporary: TemporaryFiles;

  constructor(root: string, temporary: TemporaryFiles) {
    this.#directory = join(root, 'records');
    this.#temporary = temporary;
  }

  async get(key: Digest): Promise<CacheRecord | undefined> {
    // The key stands in the record too: a file that was copied under another key is foreign.
    const found = (await readSealed(this.#path(key))) as { key: Digest; record: CacheRecord } | undefined;
    return found?.key === key && isCurrent(found.record) ? found.record : undefined;
  }

  async put(key: Digest, record: CacheRecord): Promise<void> {
    await this.#temporary.write(this.#path(key), await sealed({ key, record }), { sync: false });
  }

  #path(key: Digest): string {
    return join(this.#directory, `${hexOf(key)}.json`);
  }
}

/** Every version has these three; a record of a newer one is a miss to us. */
function isCurrent(record: Partial<CacheRecord> | undefined): record is CacheRecord {
  return record?.version === 1 && (record.kind === 'definition' || record.kind === 'content') && isDigest(record.layer);
}
