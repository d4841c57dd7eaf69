import { BuildError } from '../diagnostics/build-error.ts';
import type { Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import type { Op } from '../solve/op.ts';
import type { ExecuteContext } from './context.ts';
import { copyOp } from './copy-op.ts';
import { execOp } from './exec-op.ts';
import type { Result } from './filesystem.ts';
import { mkdirOp } from './mkdir-op.ts';
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

const placed =
  (vertex: Vertex<Spec>) =>
  (error: unknown): never => {
    if (!(error instanceof BuildError)) throw error;
    const told = error.code === 'SECRET_LEAKED' ? leakIn(vertex, error) : error;
    throw vertex.origin ? told.at(vertex.origin) : told;
  };

/** The worker knows the file, we the step. */
function leakIn({ name }: Vertex<Spec>, cause: BuildError): BuildError {
  const step = /^\[[^\]]*\]/.exec(name)?.[0] ?? '';
  return new BuildError('SECRET_LEAKED', `${step} what this step made cannot be kept: ${cause.message}`.trimStart(), {
    hint: 'read the secret where it is mounted, and write it nowhere; where it is no secret, say scan=false in --secret',
    cause,
  });
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
