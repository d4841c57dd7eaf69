import type { ImageSpec, Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import { field, type Key, makeKey } from '../solve/key.ts';
import type { Op, Outcome } from '../solve/op.ts';
import type { Source } from '../worker/protocol.ts';
import type { ExecuteContext } from './context.ts';
import { Layer, type Result, scratch, stack } from './filesystem.ts';

/** The layers of a base image. Its bytes are fetched by whoever needs them. */
export function imageOp(spec: ImageSpec): Op<Result> {
  const diffIDs = spec.layers.map(({ diffID }) => diffID);
  // By diffIDs, not by the manifest: the same layers in another compression, or under another config, are the same files.
  return sourceOp(stack(scratch, ...diffIDs.map((diffID) => new Layer(diffID))), makeKey([field('image', diffIDs)], []));
}

export const scratchOp = (): Op<Result> => sourceOp(scratch, makeKey([field('image', [])], []));

/** A context, or heredocs. Its files count in the key of the step that selects them, not here. */
export function looseOp(vertex: Vertex<Spec>, context: ExecuteContext): Op<Result> {
  const source = looseSource(vertex, context);
  if (!source) throw new Error(`a ${vertex.spec.kind} vertex is no context`);
  return sourceOp({ kind: 'source', source }, makeKey([field('source', vertex.spec)], []));
}

/** What a vertex that can only be copied from stands for; undefined for a filesystem. It is known before anything runs. */
export function looseSource({ spec }: Vertex<Spec>, { ignored }: ExecuteContext): Source | undefined {
  if (spec.kind === 'local') return { kind: 'handle', handle: spec.name, ignore: ignored.get(spec.name)?.rules ?? [] };
  if (spec.kind === 'inline') return { kind: 'inline', files: spec.files };
  return undefined;
}

function sourceOp(result: Result, key: Key): Op<Result> {
  const outcome: Outcome<Result> = { result, committed: Promise.resolve(result) };
  return {
    limit: 'none',
    cacheable: false,
    definitionKey: async () => key,
    contentKey: async () => key,
    run: async () => outcome,
  };
}
