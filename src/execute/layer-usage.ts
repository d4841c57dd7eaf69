import type { Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import type { Digest } from '../oci/digest.ts';
import type { LayerUsage } from './context.ts';
import { namesSomeone } from './owner.ts';

/** Reads from the graph which layers go into the image, and which must be on disk for an exec or a copy from them. */
export function layerUsage(
  vertices: readonly Vertex<Spec>[],
  target: Vertex<Spec>,
  wanted: { image: boolean; files: boolean },
): LayerUsage {
  const inImage = wanted.image ? chainOfVertices([target]) : new Set<Digest>();
  const read = vertices.flatMap(readInputs);
  const onDisk = chainOfVertices(wanted.files ? [...read, target] : read);
  return {
    form: (vertex) => (inImage.has(vertex.digest) ? 'gzip' : 'none'),
    onDisk: (vertex) => onDisk.has(vertex.digest),
  };
}

/** The inputs of a vertex whose bytes it reads. */
function readInputs({ spec, inputs }: Vertex<Spec>): readonly Vertex<Spec>[] {
  if (spec.kind === 'exec') return inputs;
  if (spec.kind === 'copy') return namesSomeone(spec.chown) ? inputs : inputs.slice(1);
  return spec.kind === 'mkdir' && namesSomeone(spec.user) ? inputs : [];
}

/** These vertices and all below them that their filesystems are stacked on. */
function chainOfVertices(tops: readonly Vertex<Spec>[]): Set<Digest> {
  const found = new Set<Digest>();
  for (let vertex of tops as (Vertex<Spec> | undefined)[]) {
    for (; vertex && !found.has(vertex.digest); vertex = vertex.inputs[0]) found.add(vertex.digest);
  }
  return found;
}
