import { createHash } from 'node:crypto';
import { BuildError } from '../diagnostics/build-error.ts';
import type { Descriptor } from './descriptor.ts';

/** What a blob must turn out to be. */
export type Expected = Pick<Descriptor, 'digest' | 'size'>;

/**
 * The same bytes, checked as they pass: throws IMAGE_INVALID at the first byte too many, and at the end for a missing byte or another
 * digest. The last piece comes after the check, so nobody has the whole of a wrong blob; whoever uses the bytes before must be able to
 * take that back. `what` names the blob's place in messages.
 */
export async function* verified(bytes: AsyncIterable<Uint8Array>, { digest, size }: Expected, what: string): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let length = 0;
  let held: Uint8Array | undefined;
  for await (const chunk of bytes) {
    length += chunk.length;
    if (length > size) throw new BuildError('IMAGE_INVALID', `${what}: blob "${digest}" is longer than its ${size} bytes`, { hint });
    hash.update(chunk);
    if (held) yield held;
    held = chunk;
  }
  if (length < size) throw new BuildError('IMAGE_INVALID', `${what}: blob "${digest}" ends after ${length} of ${size} bytes`, { hint });
  const found = `sha256:${hash.digest('hex')}`;
  if (found !== digest) throw new BuildError('IMAGE_INVALID', `${what}: expected a blob "${digest}", found "${found}"`, { hint });
  if (held) yield held;
}

const hint = 'it was damaged on its way or where it is kept; pull or build the image again, or tell who runs the registry';
