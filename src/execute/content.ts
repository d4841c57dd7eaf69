import type { Digest } from '../oci/digest.ts';
import type { Selection, Source } from '../worker/protocol.ts';
import type { ExecuteContext } from './context.ts';
import { chainOf, chainOfLayers, type Filesystem, nameOf } from './filesystem.ts';

/** The content digest of a whole filesystem: path, type, mode, ids, xattrs and bytes of everything in it, never mtime. */
export async function contentOf(filesystem: Filesystem, { worker, layers }: ExecuteContext, signal: AbortSignal): Promise<Digest> {
  // Mostly the worker remembers what is below, and needs not be told thousands of layers.
  const below = filesystem.below ? nameOf(filesystem.below) : 'scratch';
  if (below !== 'scratch') {
    const own = chainOfLayers(filesystem.own);
    await layers.ensureIndexes(own, signal);
    const { digest } = await worker.call('tree.digest', { chain: own, below }, { signal });
    if (digest) return digest;
  }
  const chain = chainOf(filesystem);
  await layers.ensureIndexes(chain, signal);
  const { digest } = await worker.call('tree.digest', { chain }, { signal });
  if (!digest) throw new Error('the worker gave no digest of a whole chain');
  return digest;
}

/** Whether two filesystems hold the same, but for times. */
export async function sameContent(one: Filesystem, other: Filesystem, context: ExecuteContext, signal: AbortSignal): Promise<boolean> {
  return (await contentOf(one, context, signal)) === (await contentOf(other, context, signal));
}

/** The content digest of exactly what a COPY or a bind mount takes. */
export async function contentOfSelection(selection: Selection, { worker, layers }: ExecuteContext, signal: AbortSignal): Promise<Digest> {
  if (selection.source.kind === 'chain') await layers.ensureIndexes(selection.source.chain, signal);
  return (await worker.call('tree.select', { selection }, { signal })).digest;
}

/** All below one path, as a bind mount shows it. */
export const wholeOf = (source: Source, path: string): Selection => ({
  source,
  // A path, and no pattern.
  sources: [path.replace(/[*?[\]\\]/g, '\\$&')],
  exclude: [],
  parents: false,
  unpack: false,
});
