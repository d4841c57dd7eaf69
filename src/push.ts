import { BuildError } from './diagnostics/build-error.ts';
import type { Descriptor } from './oci/descriptor.ts';
import { documentKind, maxDocumentBytes } from './oci/parse.ts';
import { formatReference, type Reference } from './oci/reference.ts';
import type { PutResult, Registry } from './registry/registry.ts';
import { counted, type OnTransfer, transferAll } from './registry/transfer.ts';
import { imageBlobs } from './store/image-blobs.ts';
import type { Store } from './store/store.ts';

export interface PushOptions {
  readonly store: Store;
  readonly registry: Registry;
  readonly onTransfer?: OnTransfer;
  /** Fulfilled when it is known that nothing of the image holds a secret. Nothing is published before. */
  readonly verdict?: Promise<void> | undefined;
}

/**
 * Sends an image of the store to `target`; the digest there is the one here. Blobs go side by side, each only where the repository has
 * it not, and by a mount where another repository of that registry has it. The name comes last: it never stands for half an image.
 * Throws a REGISTRY_… code, or IMAGE_INVALID for an image that is not whole.
 */
export async function pushImage(image: Descriptor, target: Reference, options: PushOptions, signal: AbortSignal): Promise<void> {
  const { store, registry } = options;
  // It may be refused before anyone waits for it: who does gets that.
  options.verdict?.catch(() => {});
  if (target.digest !== undefined && target.digest !== image.digest) {
    throw new BuildError('REFERENCE_INVALID', `"${formatReference(target)}" is not the digest of the image, which is "${image.digest}"`, {
      hint: 'push to a tag',
    });
  }
  const parts = await imageBlobs(store.blobs, image);
  await transferAll(
    parts.filter(({ mediaType }) => !documentKind(mediaType)),
    async (blob, either) => void (await pushBlob(blob, target, options, either)),
    signal,
  );
  const { registry: host, repository } = target;
  await options.verdict;
  for (const part of parts.filter(({ mediaType }) => documentKind(mediaType))) {
    const bytes = await store.blobs.readBytes(part.digest, maxDocumentBytes);
    const name = part === image ? target : { registry: host, repository, digest: part.digest };
    await registry.putDocument(name, { descriptor: part, bytes }, signal);
  }
}

/** Sends one blob of the store, and remembers where it is now. A build may do so for a layer while the next step runs. */
async function pushBlob(
  blob: Descriptor,
  target: Reference,
  { store, registry, onTransfer, verdict }: PushOptions,
  signal: AbortSignal,
): Promise<PutResult> {
  const { registry: host, repository } = target;
  onTransfer?.({ type: 'started', blob });
  const origins = (await store.origins.get(blob.digest)).filter((origin) => origin.registry === host && origin.repository !== repository);
  const content = () => counted(store.blobs.read(blob), blob, onTransfer);
  const how = await registry.putBlob(target, { blob, content, from: origins.map((origin) => origin.repository), verdict }, signal);
  await store.origins.add(blob.digest, { registry: host, repository });
  onTransfer?.({ type: 'completed', blob, how });
  return how;
}
