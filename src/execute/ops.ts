import type { Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import type { Op } from '../solve/op.ts';
import type { ExecuteContext } from './context.ts';
import { copyOp } from './copy-op.ts';
import { execOp } from './exec-op.ts';
import type { Result } from './filesystem.ts';
import { mkdirOp } from './mkdir-op.ts';
import { placed } from './placed.ts';
import { remoteOp } from './remote-op.ts';
import { imageOp, looseOp, scratchOp } from './source-ops.ts';

/** How each kind of vertex is done: what the solver asks for. Its errors tell the place in the Dockerfile. */
export function opFor(vertex: Vertex<Spec>, context: ExecuteContext): Op<Result> {
  const op = bareOp(vertex, context);
  return {
    ...op,
    definitionKey: (...all) => op.definitionKey(...all).catch(placed(vertex)),
    contentKey: (...all) => op.contentKey(...all).catch(placed(vertex)),
    async run(...all) {
      const { committed, ...outcome } = await op.run(...all).catch(placed(vertex));
      return { ...outcome, committed: committed.catch(placed(vertex)) };
    },
  };
}

function bareOp(vertex: Vertex<Spec>, context: ExecuteContext): Op<Result> {
  const { spec } = vertex;
  switch (spec.kind) {
    case 'image':
      return imageOp(spec);
    case 'scratch':
      return scratchOp();
    case 'local':
    case 'inline':
      return looseOp(vertex, context);
    case 'http':
    case 'git':
      return remoteOp(vertex, spec, context);
    case 'exec':
      return execOp(vertex, spec, context);
    case 'copy':
      return copyOp(vertex, spec, context);
    case 'mkdir':
      return mkdirOp(vertex, spec, context);
  }
}
