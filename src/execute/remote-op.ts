import type { GitSpec, HttpSpec, Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import { type Key, makeKey } from '../solve/key.ts';
import type { Op } from '../solve/op.ts';
import type { Source } from '../worker/protocol.ts';
import type { ExecuteContext } from './context.ts';
import type { Result } from './filesystem.ts';
import { once } from './once.ts';

/**
 * A file of a URL, or the files of a repository. Its key says what they are; they are fetched when a step that is not in the cache wants them,
 * and the worker gets their directory as a handle.
 */
export function remoteOp(vertex: Vertex<Spec>, spec: HttpSpec | GitSpec, { worker, remote }: ExecuteContext): Op<Result> {
  const source: Source = { kind: 'handle', handle: vertex.digest, ignore: [] };
  const remoteSource = remote.source(spec);
  const ready = once(async (signal) => {
    const path = await remoteSource.directory(signal);
    await worker.call('handle.open', { handle: vertex.digest, path, access: 'read' }, { signal });
  });
  const key = async (signal: AbortSignal): Promise<Key> => makeKey([await remoteSource.key(signal)], []);
  const result: Result = { kind: 'source', source, ready };
  return {
    limit: 'none',
    cacheable: false,
    definitionKey: (_inputs, signal) => key(signal),
    contentKey: (_inputs, signal) => key(signal),
    run: async () => ({ result, committed: Promise.resolve(result) }),
  };
}
