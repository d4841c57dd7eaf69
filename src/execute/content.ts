import type { Digest } from '../oci/digest.ts';
import type { Selection, Source } from '../worker/protocol.ts';
import type { ExecuteContext } from './context.ts';
import { chainOf, type Filesystem } from './filesystem.ts';

/** The content digest of a whole filesystem: path, type, mode, ids, xattrs and bytes of everything in it, never mtime. */
export async function contentOf(filesystem: Filesystem, { worker, layers }: ExecuteContext, signal: AbortSignal): Promise<Digest> {
  const chain = chainOf(filesystem);
  await layers.ensureIndexes(chain, signal);
  return (await worker.call('tree.digest', { chain }, { signal })).digest;
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
