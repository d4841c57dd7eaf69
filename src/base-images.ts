import type { LayerProvider } from './execute/layer-provider.ts';
import type { Platform } from './oci/platform.ts';
import type { ImageResolver, ResolvedImage } from './plan/plan.ts';
import { fetchLayers, type PullOptions, resolveImage } from './pull.ts';

/** Finds the images of FROM: in the store, else in their registry. Their layers are fetched when a step needs them. */
export class BaseImages implements ImageResolver {
  readonly #options: PullOptions;
  readonly #layers: LayerProvider;

  constructor(layers: LayerProvider, options: PullOptions) {
    this.#layers = layers;
    this.#options = options;
  }

  async resolve(reference: string, platform: Platform, signal: AbortSignal): Promise<ResolvedImage> {
    const image = await resolveImage(reference, platform, this.#options, signal);
    this.#layers.addForeign({
      layers: image.layers,
      fetch: async (fetchSignal) => {
        await fetchLayers(image, this.#options, fetchSignal);
      },
    });
    return image;
  }
}
