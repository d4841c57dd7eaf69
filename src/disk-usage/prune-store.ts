import { BuildError } from '../diagnostics/build-error.ts';
import type { Store } from '../store/store.ts';
import type { Worker } from '../worker/worker.ts';
import { measureStore } from './measure-store.ts';
import { type PruneWishes, selectForPrune } from './select-for-prune.ts';
import type { UsageEntry } from './usage-entry.ts';

export interface Pruned {
  readonly gone: readonly UsageEntry[];
  /** Whether other commands work with the store: then only cache mounts that no step uses went, and the trash. */
  readonly shared: boolean;
}

/**
 * Deletes what was asked for, and nothing that a name needs. Layers and blobs go only while nobody else works with the store: a build looks
 * once for what it needs, and then counts on it. Throws IMAGE_INVALID where an image that has a name cannot be read.
 */
export async function pruneStore(tools: { worker: Worker; store: Store }, wishes: PruneWishes, signal: AbortSignal): Promise<Pruned> {
  const { worker } = tools;
  const { exclusive } = await worker.call('store.exclusive', {}, { signal });
  const { entries, kept } = await measureStore(tools, signal);
  const [first] = kept.damaged;
  const chosen = selectForPrune(entries, wishes);
  const loose = (entry: UsageEntry) => entry.mount !== undefined || entry.id === 'trash';
  if (first && !chosen.every(loose)) {
    const hint =
      'what it needs is not known: pull or build it again, or remove its name with "cooper rmi"; cache mounts go with --filter type=exec.cachemount';
    throw new BuildError('IMAGE_INVALID', `nothing is deleted while an image is damaged: ${first.message}`, { cause: first, hint });
  }
  const going = exclusive ? chosen : chosen.filter(loose);
  const names = going.flatMap(({ mount }) => mount ?? []);
  const { pruned } = await worker.call('mount.prune', { names }, { signal });
  const paths = going.flatMap((entry) => (entry.id === 'trash' ? [] : entry.paths));
  await worker.call('store.discard', { paths, wait: true }, { signal });
  const gone = going.filter(({ mount }) => mount === undefined || pruned.includes(mount));
  return { gone, shared: !exclusive };
}
