import { BuildError } from '../diagnostics/build-error.ts';
import type { Expected } from '../oci/verify.ts';
import { refused } from './errors.ts';
import { backOff, isTransient, pause, type RetryOptions } from './retry.ts';
import type { Exchange } from './session.ts';
import type { HttpResponse } from './transport.ts';

export interface DownloadOptions {
  readonly registry: string;
  readonly blob: Expected;
  /** Asks for the blob from byte `offset` on. */
  readonly open: (offset: number) => Promise<Exchange>;
  readonly retry: RetryOptions;
}

/** A break after this many new bytes does not count against the attempts: a long download over a bad line comes to its end. */
const progressBytes = 1024 * 1024;

/**
 * The bytes of a blob as they come, resumed by Range after a break. Not checked: wrap it in `verified`. Throws IMAGE_INVALID when it
 * breaks off again and again.
 */
export async function* download(options: DownloadOptions, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const { blob, retry } = options;
  let offset = 0;
  let failures = 0;
  let cause: unknown;
  while (offset < blob.size || offset === 0) {
    const before = offset;
    try {
      for await (const chunk of await from(options, offset)) {
        offset += chunk.length;
        yield chunk;
      }
      if (offset >= blob.size) return;
      cause = undefined;
    } catch (error) {
      signal.throwIfAborted();
      if (!isTransient(error)) throw error;
      cause = error;
    }
    failures = offset - before >= progressBytes ? 1 : failures + 1;
    if (failures >= retry.attempts) throw broken(options, offset, cause);
    await pause(backOff(failures, retry.baseMs), signal);
  }
}

/** The bytes from `offset` on, whether the registry knows ranges or not. */
async function from({ registry, open }: DownloadOptions, offset: number): Promise<AsyncIterable<Uint8Array>> {
  const { request, response } = await open(offset);
  if (response.status === 200) return skipping(response, offset);
  if (response.status === 206 && response.header('content-range')?.startsWith(`bytes ${offset}-`)) return response.body;
  throw await refused(registry, request, response);
}

async function* skipping(response: HttpResponse, count: number): AsyncGenerator<Uint8Array> {
  let left = count;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    if (left < chunk.length) yield chunk.subarray(left);
    left = Math.max(0, left - chunk.length);
  }
}

function broken({ registry, blob }: DownloadOptions, offset: number, cause: unknown): BuildError {
  const message = `registry "${registry}" sends blob "${blob.digest}" only in part: it ends after ${offset} of ${blob.size} bytes`;
  return new BuildError('IMAGE_INVALID', message, {
    cause,
    hint: 'the registry has lost a part of it, or the line is bad: push the image again, or try later',
  });
}
