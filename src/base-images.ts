import type { BuildOptions } from './build-options.ts';
import { BuildError } from './diagnostics/build-error.ts';
import type { LayerProvider } from './execute/layer-provider.ts';
import type { Platform } from './oci/platform.ts';
import { formatReference, parseReference } from './oci/reference.ts';
import type { ImageResolver, ResolvedImage } from './plan/plan.ts';
import type { BuildEvent } from './progress/events.ts';
import type { Store } from './store/store.ts';
import { layersOf, readStoredImage } from './store/stored-image.ts';

/** Finds the images of FROM: in the store, else in their registry. Layers are fetched when a step needs them. */
export class BaseImages implements ImageResolver {
  readonly #store: Store;
  readonly #layers: LayerProvider;

  constructor(store: Store, layers: LayerProvider, _options: BuildOptions, _emit: (event: BuildEvent) => void) {
    this.#store = store;
    this.#layers = layers;
  }

  async resolve(reference: string, _platform: Platform, _signal: AbortSignal): Promise<ResolvedImage> {
    const name = formatReference(parseReference(reference));
    const ref = await this.#store.refs.get(name);
    if (!ref) throw new BuildError('BASE_NOT_FOUND', `no image "${reference}"`);
    const image = await readStoredImage(this.#store, ref.descriptor);
    const layers = layersOf(image);
    this.#layers.addForeign({ layers, fetch: async () => {} });
    return { reference: name, digest: image.descriptor.digest, config: image.config, layers };
  }
}
