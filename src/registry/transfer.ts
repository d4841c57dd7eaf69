import pLimit from 'p-limit';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/** How far a blob is on its way from or to a registry. */
export type TransferEvent =
  | { readonly type: 'started'; readonly blob: Descriptor }
  /** `current` begins anew when an upload does. */
  | { readonly type: 'progress'; readonly blob: Descriptor; readonly current: number }
  /** `how`: `existed` where no byte had to pass. */
  | { readonly type: 'completed'; readonly blob: Descriptor; readonly how: 'existed' | 'mounted' | 'uploaded' | 'downloaded' };

export type OnTransfer = (event: TransferEvent) => void;

/** Blobs on their way at once: enough to hide the round trips, few enough for a registry to bear. */
const concurrency = 4;

/** Moves each blob once, several at a time. The first failure ends the others. */
export async function transferAll(
  blobs: readonly Descriptor[],
  move: (blob: Descriptor, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const unique = new Map<Digest, Descriptor>(blobs.map((blob) => [blob.digest, blob]));
  const failure = new AbortController();
  const either = AbortSignal.any([signal, failure.signal]);
  const limit = pLimit(concurrency);
  const moveOne = async (blob: Descriptor) => {
    try {
      either.throwIfAborted();
      await move(blob, either);
    } catch (error) {
      failure.abort(error);
      throw error;
    }
  };
  const moves = [...unique.values()].map((blob) => limit(moveOne, blob));
  // All have ended before this does: nobody writes to the store after its caller has gone on.
  await Promise.allSettled(moves);
  either.throwIfAborted();
}

/** The same bytes, with an event for each piece. */
export async function* counted(
  bytes: AsyncIterable<Uint8Array>,
  blob: Descriptor,
  onTransfer: OnTransfer | undefined,
): AsyncGenerator<Uint8Array> {
  let current = 0;
  for await (const chunk of bytes) {
    current += chunk.length;
    yield chunk;
    onTransfer?.({ type: 'progress', blob, current });
  }
}
