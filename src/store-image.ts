import pLimit from 'p-limit';
import type { ExecutedGraph } from './execute/execute-graph.ts';
import type { LayerProvider } from './execute/layer-provider.ts';
import type { ImageSpec, Spec } from './graph/spec.ts';
import type { Vertex } from './graph/vertex.ts';
import { assembleImage, type BuiltLayer } from './image/assemble-image.ts';
import type { Descriptor } from './oci/descriptor.ts';
import type { DiffID, Digest } from './oci/digest.ts';
import type { Plan } from './plan/plan.ts';
import type { Store } from './store/store.ts';

/** An image whose blobs are all in the store. It has no name yet. */
export interface StoredImage {
  readonly descriptor: Descriptor;
  readonly configDigest: Digest;
}

/** Makes the image of what the graph gave, and stores what is missing of it: compressed layers, config, manifest. */
export async function storeImage(
  plan: Plan,
  graph: ExecutedGraph,
  { store, layers }: { readonly store: Store; readonly layers: LayerProvider },
  signal: AbortSignal,
): Promise<StoredImage> {
  const limit = pLimit(4);
  const base = baseLayers(plan.target);
  const vertices = plan.history.flatMap(({ vertex }) => (vertex === undefined ? [] : [vertex]));
  const [built] = await Promise.all([
    Promise.all(vertices.map((vertex) => limit(async () => [vertex, await builtLayer(graph, vertex, { store, layers }, signal)] as const))),
    Promise.all(base.map(({ diffID }) => limit(() => layers.ensureBlob(diffID, signal)))),
  ]);
  const { config, manifest } = assembleImage({ plan, base, layers: new Map(built) });
  for (const document of [config, manifest]) await store.blobs.put(document.bytes, document.descriptor.mediaType, { signal });
  return { descriptor: manifest.descriptor, configDigest: config.descriptor.digest };
}

/** The layers of the image that the target's first stage stands on. */
function baseLayers(target: Vertex<Spec>): ImageSpec['layers'] {
  let vertex: Vertex<Spec> | undefined = target;
  while (vertex?.inputs[0]) vertex = vertex.inputs[0];
  return vertex?.spec.kind === 'image' ? vertex.spec.layers : [];
}

async function builtLayer(
  graph: ExecutedGraph,
  vertex: Digest,
  { store, layers }: { readonly store: Store; readonly layers: LayerProvider },
  signal: AbortSignal,
): Promise<BuiltLayer> {
  const diffID = graph.layerOf.get(vertex) as DiffID;
  const facts = await store.layers.get(diffID);
  if (!facts) throw new Error(`nothing is known of layer ${diffID}`);
  // An empty layer is left out of the image, so nobody needs its blob.
  const blob = facts.entries === 0 ? { mediaType: '', digest: '' as Digest, size: 0 } : await layers.ensureBlob(diffID, signal);
  return { diffID, blob, entries: facts.entries, created: facts.created };
}
