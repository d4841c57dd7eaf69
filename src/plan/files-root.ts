import type { SourceRange } from '../diagnostics/source-range.ts';
import type { CopySpec, Spec } from '../graph/spec.ts';
import { type Vertex, vertex } from '../graph/vertex.ts';

/** The filesystem of a stage that begins with the files of a named context: they are its first layer. */
export function filesRoot(files: Vertex<Spec>, origin: SourceRange, epoch: Pick<CopySpec, 'epoch'> = {}): Vertex<Spec> {
  const { kind } = files.spec;
  // What has layers already stands as it is.
  if (['image', 'scratch', 'exec', 'copy', 'mkdir'].includes(kind)) return files;
  const scratch = vertex<Spec>({ kind: 'scratch' }, [], 'FROM scratch');
  const spec: CopySpec = {
    kind: 'copy',
    instruction: 'COPY',
    parts: [{ input: 1, sources: ['/'], parents: false, unpack: false }],
    destination: '/',
    exclude: [],
    link: false,
    ...epoch,
  };
  return vertex<Spec>(spec, [scratch, files], `FROM ${files.name}`, origin);
}
