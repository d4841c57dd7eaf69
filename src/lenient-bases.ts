import type { BuildOptions } from './build-options.ts';
import { BuildError } from './diagnostics/build-error.ts';
import type { ErrorCode } from './diagnostics/codes.ts';
import type { Digest } from './oci/digest.ts';
import type { Platform } from './oci/platform.ts';
import type { ImageResolver, ResolvedImage } from './plan/plan.ts';
import { resolveImage } from './pull.ts';
import { Registry } from './registry/registry.ts';
import { openSession, type Session } from './session.ts';

/** What says that the Dockerfile is wrong, and not that we cannot see. */
const fatal: readonly ErrorCode[] = ['BASE_NOT_FOUND', 'CANCELLED', 'IMAGE_INVALID', 'PLATFORM_UNSUPPORTED', 'REFERENCE_INVALID'];

interface LenientOptions extends Pick<BuildOptions, 'root' | 'environment' | 'pull'> {
  /** As `layoutsOf` gives them. */
  readonly layouts: ReadonlySet<string>;
}

/** How long a question waits for a registry: who asks about a Dockerfile wants an answer, and most of it needs none. */
const patienceMs = 10_000;

/**
 * Base images for questions about a Dockerfile. The configs of those that are here or can be reached; for others one of which nothing is
 * known, so that a network that is not there keeps nobody from an answer. The store is opened for the first of them.
 */
export class LenientBases implements ImageResolver, AsyncDisposable {
  readonly #options: LenientOptions;
  readonly #registry: Registry;
  readonly #onMiss: (reference: string, error: BuildError) => void;
  #session: Promise<Session> | undefined;

  constructor(options: LenientOptions, onMiss: (reference: string, error: BuildError) => void) {
    this.#options = options;
    this.#registry = new Registry({ environment: options.environment ?? {} });
    this.#onMiss = onMiss;
  }

  async resolve(reference: string, platform: Platform, signal: AbortSignal): Promise<ResolvedImage> {
    const patience = AbortSignal.timeout(patienceMs);
    try {
      this.#session ??= openSession(this.#options.root, signal);
      const { store } = await this.#session;
      const options = {
        store,
        registry: this.#registry,
        pull: this.#options.pull ?? false,
        layouts: this.#options.layouts,
      };
      return await resolveImage(reference, platform, options, AbortSignal.any([signal, patience]));
    } catch (error) {
      const late = patience.aborted && !signal.aborted;
      if (!late && (!(error instanceof BuildError) || fatal.includes(error.code))) throw error;
      const waited = `"${reference}" was not found within ${patienceMs / 1000} seconds`;
      this.#onMiss(reference, error instanceof BuildError ? error : new BuildError('REGISTRY_UNREACHABLE', waited, { cause: error }));
      return unknownImage(reference, platform);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#registry.close();
    // One that could not be opened was told of as a base that could not be looked at.
    await (await this.#session?.catch(() => undefined))?.[Symbol.asyncDispose]();
  }
}

const unknownImage = (reference: string, { os, architecture, variant }: Platform): ResolvedImage => ({
  reference,
  digest: `sha256:${'0'.repeat(64)}` as Digest,
  config: { os, architecture, ...(variant && { variant }), config: {}, rootfs: { type: 'layers', diff_ids: [] } },
  layers: [],
});
