import pLimit from 'p-limit';
import { BuildError } from '../diagnostics/build-error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { maxDocumentBytes } from '../oci/parse.ts';
import type { Reference } from '../oci/reference.ts';
import type { Registry } from '../registry/registry.ts';
import type { BlobSource } from '../store/blob-store.ts';
import type { Document } from './artifact.ts';

export interface NewArtifact {
  readonly manifest: Document;
  readonly config: Document;
  /** Blobs that the repository may lack; all others it has, because a manifest of it names them. */
  readonly made: readonly Descriptor[];
  readonly blobs: BlobSource;
}

/** Blobs on their way at once. */
const concurrency = 4;

/** Sends an artifact to a registry: what is new of it, and its manifest last. */
export async function putArtifact(
  { manifest, config, made, blobs }: NewArtifact,
  target: Reference,
  { registry, onEvent }: { registry: Registry; onEvent: (event: { type: 'progress'; current: number; total: number }) => void },
  signal: AbortSignal,
): Promise<void> {
  if (manifest.bytes.length > maxDocumentBytes) {
    const hint = 'export fewer cache mounts at once with ids=';
    throw new BuildError('EXPORT_FAILED', `a manifest of ${manifest.bytes.length} bytes is more than registries take`, { hint });
  }
  const total = made.reduce((sum, { size }) => sum + size, 0);
  let current = 0;
  const limit = pLimit(concurrency);
  const failure = new AbortController();
  const either = AbortSignal.any([signal, failure.signal]);
  const sending = made.map((blob) =>
    limit(async () => {
      either.throwIfAborted();
      await registry.putBlob(target, { blob, content: () => blobs.read(blob) }, either);
      current += blob.size;
      onEvent({ type: 'progress', current, total });
    }).catch((error) => {
      failure.abort(error);
      throw error;
    }),
  );
  // All have ended before this does.
  await Promise.allSettled(sending);
  either.throwIfAborted();
  await registry.putBlob(target, { blob: config.descriptor, content: () => once(config.bytes) }, signal);
  await registry.putDocument(target, manifest, signal);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
