import { BuildError } from '../diagnostics/build-error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { maxDocumentBytes } from '../oci/parse.ts';
import type { Reference } from '../oci/reference.ts';
import type { OnProgress } from '../progress/run-task.ts';
import type { Registry } from '../registry/registry.ts';
import { transferAll } from '../registry/transfer.ts';
import type { BlobSource } from '../store/blob-store.ts';
import type { Document } from './artifact.ts';

export interface NewArtifact {
  readonly manifest: Document;
  readonly config: Document;
  /** Blobs that the repository may lack; all others it has, because a manifest of it names them. */
  readonly made: readonly Descriptor[];
  readonly blobs: BlobSource;
}

/** Sends an artifact to a registry: what is new of it, and its manifest last. */
export async function putArtifact(
  { manifest, config, made, blobs }: NewArtifact,
  target: Reference,
  { registry, onProgress }: { readonly registry: Registry; readonly onProgress: OnProgress },
  signal: AbortSignal,
): Promise<void> {
  if (manifest.bytes.length > maxDocumentBytes) {
    const hint = 'export fewer cache mounts at once with ids=';
    throw new BuildError('EXPORT_FAILED', `a manifest of ${manifest.bytes.length} bytes is more than registries take`, { hint });
  }
  const total = made.reduce((sum, { size }) => sum + size, 0);
  let current = 0;
  const send = async (blob: Descriptor, either: AbortSignal) => {
    await registry.putBlob(target, { blob, content: () => blobs.read(blob) }, either);
    current += blob.size;
    onProgress(current, total);
  };
  await transferAll(made, send, signal);
  await registry.putBlob(target, { blob: config.descriptor, content: () => once(config.bytes) }, signal);
  await registry.putDocument(target, manifest, signal);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
