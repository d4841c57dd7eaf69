import { BuildError } from '../diagnostics/build-error.ts';
import type { Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';

/** Throws an error again, with the place in the Dockerfile that asked for what went wrong. */
export const placed =
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
