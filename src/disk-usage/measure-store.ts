import { type DiffID, type Digest, isDigest } from '../oci/digest.ts';
import { mountID } from '../store/mount-id.ts';
import type { Store } from '../store/store.ts';
import type { CacheMount, StoreUsage } from '../worker/store-content.ts';
import type { Worker } from '../worker/worker.ts';
import { type Kept, keptByNames } from './kept-by-names.ts';
import type { UsageEntry, UsageType } from './usage-entry.ts';

export interface Measured {
  readonly entries: readonly UsageEntry[];
  readonly kept: Kept;
}

/** Everything in the store, with its size. The worker measures: without root, many files are not the caller's own to look at. */
export async function measureStore({ worker, store }: { worker: Worker; store: Store }, signal: AbortSignal): Promise<Measured> {
  const folder = async (name: string) => (await worker.call('store.usage', { folder: name }, { signal })).entries;
  const kept = await keptByNames(store);
  const { mounts } = await worker.call('mount.list', {}, { signal });
  const entries = [
    ...mounts.map(mountEntry),
    ...(await layerEntries(store, kept, folder)),
    ...fetchedEntries('source.http', 'http', await folder('http')),
    ...fetchedEntries('source.git.checkout', 'git', await folder('git')),
    ...(await internalEntries(folder)),
  ];
  return { entries, kept };
}

type Folder = (name: string) => Promise<readonly StoreUsage[]>;

function mountEntry({ name, id: key, sharing, createdMs, lastUsedMs, inUse, bytes }: CacheMount): UsageEntry {
  const id = key === undefined ? undefined : mountID(key);
  const [, variant, number] = /^[0-9a-f]{64}(?:\.([0-9a-f]{8})[0-9a-f]*)?(?:-(\d+))?$/.exec(name) ?? [];
  const suffix = `${variant ? `#${variant}` : ''}${number ? `-${number}` : ''}`;
  return {
    id: id === undefined ? shortHex(name) + suffix : id + suffix,
    type: 'exec.cachemount',
    description: id === undefined ? 'cache mount of an older version' : `cache mount ${JSON.stringify(id)}, ${sharing ?? 'shared'}`,
    bytes,
    ...(createdMs !== undefined && { createdMs }),
    ...(lastUsedMs !== undefined && { lastUsedMs }),
    inUse,
    reclaimable: !inUse,
    paths: [],
    mount: name,
  };
}

/** A layer goes as a whole: its facts, its index, its files and its compressed forms. Other blobs are manifests and configs. */
async function layerEntries(store: Store, kept: Kept, folder: Folder): Promise<UsageEntry[]> {
  const parts = new Map<DiffID, { bytes: number; lastUsedMs: number; paths: string[] }>();
  const take = (diffID: DiffID, { bytes, modifiedMs }: StoreUsage, path: string) => {
    const part = parts.get(diffID) ?? { bytes: 0, lastUsedMs: 0, paths: [] };
    const lastUsedMs = Math.max(part.lastUsedMs, modifiedMs);
    parts.set(diffID, { bytes: part.bytes + bytes, lastUsedMs, paths: [...part.paths, path] });
  };
  for (const name of ['layers', 'indexes', 'snapshots']) {
    for (const usage of await folder(name)) {
      const diffID = `sha256:${usage.name.replace(/\.json$/, '')}`;
      if (isDigest(diffID)) take(diffID as string as DiffID, usage, `${name}/${usage.name}`);
    }
  }
  const owners = await layersOfBlobs(store, [...parts.keys()]);
  const others: UsageEntry[] = [];
  for (const usage of await folder('blobs/sha256')) {
    const digest = `sha256:${usage.name}`;
    if (!isDigest(digest)) continue;
    const path = `blobs/sha256/${usage.name}`;
    const diffID = owners.get(digest);
    const names = kept.blobs.get(digest);
    // What an image needs stays, also where the rest of its layer goes.
    if (diffID && !names === !kept.layers.get(diffID)) take(diffID, usage, path);
    else others.push(blobEntry(digest, usage, path, names));
  }
  const layers = [...parts].map(([diffID, { bytes, lastUsedMs, paths }]): UsageEntry => {
    const names = kept.layers.get(diffID);
    const description = names ? `layer of ${names.join(', ')}` : 'layer of no image that has a name';
    return { ...plain, id: shortHex(diffID), type: 'regular', description, bytes, lastUsedMs, reclaimable: !names, paths };
  });
  return [...layers, ...others];
}

async function layersOfBlobs(store: Store, diffIDs: readonly DiffID[]): Promise<ReadonlyMap<Digest, DiffID>> {
  const owners = new Map<Digest, DiffID>();
  for (const diffID of diffIDs) {
    for (const { digest } of (await store.layers.get(diffID))?.blobs ?? []) owners.set(digest, diffID);
  }
  return owners;
}

function blobEntry(digest: Digest, { bytes, modifiedMs }: StoreUsage, path: string, names: readonly string[] | undefined): UsageEntry {
  const description = names ? `blob of ${names.join(', ')}` : 'blob of no image that has a name';
  const common = { bytes, lastUsedMs: modifiedMs, reclaimable: !names, paths: [path] };
  return { ...plain, id: shortHex(digest), type: 'regular', description, ...common };
}

const fetchedEntries = (type: UsageType, folder: string, usages: readonly StoreUsage[]): UsageEntry[] =>
  usages.map(({ name, bytes, modifiedMs }) => ({
    ...plain,
    id: shortHex(name),
    type,
    description: name.endsWith('.json') ? 'what a URL gave last' : 'files that were fetched',
    bytes,
    lastUsedMs: modifiedMs,
    paths: [`${folder}/${name}`],
  }));

/** Each folder as a whole: all of it is made again where it is missing. */
async function internalEntries(folder: Folder): Promise<UsageEntry[]> {
  const made = Object.entries(internalFolders).map(async ([name, description]): Promise<UsageEntry[]> => {
    const usages = await folder(name);
    const bytes = usages.reduce((sum, usage) => sum + usage.bytes, 0);
    const lastUsedMs = Math.max(...usages.map(({ modifiedMs }) => modifiedMs));
    const paths = usages.map((usage) => `${name}/${usage.name}`);
    return usages.length === 0 ? [] : [{ ...plain, id: name, type: 'internal', description, bytes, lastUsedMs, paths }];
  });
  return (await Promise.all(made)).flat();
}

const internalFolders: Readonly<Record<string, string>> = {
  records: 'which layer a step put out',
  'layers-by-name': 'which layer a step that changed nothing gives',
  blocks: 'layers of long chains, put together',
  content: 'content digests of images',
  statcache: 'digests of files of contexts',
  origins: 'where blobs came from',
  trash: 'deleted, not yet gone',
};

const plain = { inUse: false, reclaimable: true } as const;

const shortHex = (text: string): string => text.replace(/^sha256:/, '').slice(0, 12);
