import pLimit from 'p-limit';
import type { AnnotationOption } from './build-options.ts';
import { BuildError } from './diagnostics/build-error.ts';
import type { ExecutedGraph } from './execute/execute-graph.ts';
import { emptyDiffID } from './execute/filesystem.ts';
import type { LayerProvider } from './execute/layer-provider.ts';
import { placed } from './execute/placed.ts';
import type { ImageSpec, Spec } from './graph/spec.ts';
import type { Vertex } from './graph/vertex.ts';
import { assembleImage, type BuiltLayer, type ImageAnnotations } from './image/assemble-image.ts';
import type { Descriptor } from './oci/descriptor.ts';
import type { DiffID, Digest } from './oci/digest.ts';
import { formatPlatform, normalizePlatform, type Platform } from './oci/platform.ts';
import type { Plan } from './plan/plan.ts';
import { refuseSecret } from './search-plan.ts';
import type { SecretGuard } from './secret/guard.ts';
import type { Store } from './store/store.ts';

/** An image whose blobs are all in the store. It has no name yet. */
export interface StoredImage {
  readonly descriptor: Descriptor;
  readonly configDigest: Digest;
  /** Nothing of it holds a secret. Kept by the promise that the last requests of uploads wait for. */
  readonly verdict: Promise<void>;
}

interface Needed {
  readonly store: Store;
  readonly layers: LayerProvider;
  readonly annotations?: ImageAnnotations;
  readonly guard: SecretGuard;
}

/** Makes the image of what the graph gave, and stores what is missing of it: compressed layers, config, manifest. */
export async function storeImage(
  plan: Plan,
  graph: ExecutedGraph,
  { store, layers, annotations, guard }: Needed,
  signal: AbortSignal,
): Promise<StoredImage> {
  const limit = pLimit(4);
  const base = baseLayers(plan.target);
  const vertices = plan.history.flatMap(({ vertex }) => (vertex === undefined ? [] : [vertex]));
  const [built] = await Promise.all([
    Promise.all(
      vertices.map((vertex) =>
        limit(async () => [vertex, await builtLayer(graph, vertex, layers, signal).catch(placedIn(plan, vertex))] as const),
      ),
    ),
    Promise.all(base.map(({ diffID }) => limit(() => layers.ensureBlob(diffID, signal)))),
  ]);
  const { config, manifest } = assembleImage({ plan, base, layers: new Map(built), ...(annotations && { annotations }) });
  refuseSecret(guard, config.bytes, "the image's config");
  refuseSecret(guard, manifest.bytes, "the image's manifest");
  for (const document of [config, manifest]) await store.blobs.put(document.bytes, document.descriptor.mediaType, { signal });
  // Layers were searched when they were packed, or just now; config and manifest above: whatever was found has been thrown.
  return { descriptor: manifest.descriptor, configDigest: config.descriptor.digest, verdict: Promise.resolve() };
}

/** Tells the step of what goes wrong with its layer. Looked up only then: there may be thousands. */
const placedIn =
  ({ vertices }: Plan, digest: Digest) =>
  (error: unknown): never => {
    const vertex = vertices.find((each) => each.digest === digest);
    if (vertex) placed(vertex)(error);
    throw error;
  };

/** What `--annotation` gives an image of this platform. Throws ARG_INVALID for another one, which is not built. */
export function annotationsOf(options: readonly AnnotationOption[], platform: Platform): ImageAnnotations {
  const found = { manifest: {} as Record<string, string>, descriptor: {} as Record<string, string> };
  for (const { scope, platform: only, name, value } of options) {
    if (only && formatPlatform(normalizePlatform(only)) !== formatPlatform(normalizePlatform(platform))) {
      throw new BuildError(
        'ARG_INVALID',
        `the annotation "${name}" is for "${formatPlatform(only)}", and the image is "${formatPlatform(platform)}"`,
        {
          hint: 'leave out the platform in "[]"',
        },
      );
    }
    const annotations = scope === 'manifest' ? found.manifest : found.descriptor;
    Object.defineProperty(annotations, name, { value, enumerable: true, configurable: true, writable: true });
  }
  return found;
}

/** The layers of the image that the target's first stage stands on. */
function baseLayers(target: Vertex<Spec>): ImageSpec['layers'] {
  let vertex: Vertex<Spec> | undefined = target;
  while (vertex?.inputs[0]) vertex = vertex.inputs[0];
  return vertex?.spec.kind === 'image' ? vertex.spec.layers : [];
}

async function builtLayer(graph: ExecutedGraph, vertex: Digest, layers: LayerProvider, signal: AbortSignal): Promise<BuiltLayer> {
  const diffID = graph.layerOf.get(vertex) as DiffID;
  const facts = await layers.facts(diffID);
  if (!facts) throw new Error(`nothing is known of layer ${diffID}`);
  const blob = await layers.ensureBlob(diffID, signal);
  await layers.ensureClean(diffID, blob, signal);
  return { diffID, blob, created: diffID === emptyDiffID ? undefined : facts.created };
}
