import { Readable } from 'node:stream';
import { BuildError } from '../diagnostics/build-error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { refused } from './errors.ts';
import { backOff, pause } from './retry.ts';
import { type Exchange, locationIn, type RegistryRequest, type Session } from './session.ts';

export interface UploadOptions {
  readonly session: Session;
  readonly registry: string;
  readonly repository: string;
  readonly scopes: readonly string[];
  readonly blob: Descriptor;
  /** The bytes, from the start; asked again when an upload has to begin anew. */
  readonly content: () => AsyncIterable<Uint8Array>;
  /** Sends the blob in pieces of this many bytes. Undefined: in one, unless the registry finds that too large. */
  readonly chunkBytes?: number | undefined;
  /** Where to upload to, if a refused mount has opened a place already. */
  readonly location?: URL | undefined;
  /** The last request waits for it. */
  readonly verdict?: Promise<void> | undefined;
}

/** Pieces for a registry, or a proxy before it, that answers 413 to a whole blob. */
const fallbackChunkBytes = 32 * 1024 * 1024;

/** Sends one blob. Begins anew when the connection breaks. Source: OCI distribution-spec 1.1, "Pushing blobs". */
export async function upload(options: UploadOptions, signal: AbortSignal): Promise<void> {
  const { session, registry } = options;
  let { chunkBytes, location } = options;
  for (let attempt = 1; ; attempt++) {
    let failure: BuildError;
    try {
      const place = location ?? (await openUpload(options, signal));
      const exchange =
        chunkBytes === undefined ? await sendWhole(options, place, signal) : await sendChunks(options, place, chunkBytes, signal);
      if (exchange.response.status === 201) return await exchange.response.discard();
      if (exchange.response.status === 413 && chunkBytes === undefined) chunkBytes = fallbackChunkBytes;
      else if (exchange.response.status < 500) attempt = session.retry.attempts; // It has understood, and refuses.
      failure = await refused(registry, exchange.request, exchange.response);
    } catch (error) {
      signal.throwIfAborted();
      // Only what the registry or the line did: a blob that is damaged here stays so.
      if (!(error instanceof BuildError) || error.code !== 'REGISTRY_UNREACHABLE') throw error;
      failure = error;
    }
    if (attempt >= session.retry.attempts) throw failure;
    location = undefined;
    await pause(backOff(attempt, session.retry.baseMs), signal);
  }
}

/** Where the next request of an upload goes. Throws REGISTRY_FAILED for an answer that does not say. */
export function locationOf(registry: string, { request, response }: Exchange): URL {
  const location = locationIn({ request, response });
  if (location) return location;
  throw new BuildError('REGISTRY_FAILED', `registry "${registry}" does not say where to upload to`, { hint: 'tell who runs the registry' });
}

async function openUpload(options: UploadOptions, signal: AbortSignal): Promise<URL> {
  const exchange = await options.session.request(
    { ...target(options), method: 'POST', target: `${options.repository}/blobs/uploads/`, headers: empty },
    signal,
  );
  if (exchange.response.status !== 202) throw await refused(options.registry, exchange.request, exchange.response);
  await exchange.response.discard();
  return locationOf(options.registry, exchange);
}

async function sendWhole(options: UploadOptions, place: URL, signal: AbortSignal): Promise<Exchange> {
  const { blob, content } = options;
  await options.verdict;
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(blob.size) };
  const body = sending(content(), options);
  return body.during(
    options.session.request({ ...target(options), method: 'PUT', target: closing(place, blob), headers, body: body.stream }, signal),
  );
}

async function sendChunks(options: UploadOptions, place: URL, chunkBytes: number, signal: AbortSignal): Promise<Exchange> {
  const { blob, content, registry, session } = options;
  let next = place;
  let offset = 0;
  for await (const chunk of inPieces(content(), chunkBytes)) {
    const headers = { 'content-type': 'application/octet-stream', 'content-range': `${offset}-${offset + chunk.length - 1}` };
    const exchange = await session.request({ ...target(options), method: 'PATCH', target: next, headers, body: chunk }, signal);
    if (exchange.response.status !== 202) return exchange;
    await exchange.response.discard();
    next = locationOf(registry, exchange);
    offset += chunk.length;
  }
  await options.verdict;
  return session.request({ ...target(options), method: 'PUT', target: closing(next, blob), headers: empty }, signal);
}

const empty = { 'content-length': '0' };

const target = ({ registry, scopes }: UploadOptions): Pick<RegistryRequest, 'registry' | 'scopes'> => ({ registry, scopes });

/** The place with the digest added. As text: a signature may cover the query as it is written. */
function closing(place: URL, { digest }: Descriptor): URL {
  const url = new URL(place);
  url.search += `${url.search === '' ? '?' : '&'}digest=${encodeURIComponent(digest)}`;
  return url;
}

/**
 * A request's body whose own failure is told from the line's: when the content turns out to be damaged, undici says only that the
 * request was aborted.
 */
function sending(content: AsyncIterable<Uint8Array>, { registry }: UploadOptions) {
  let failure: unknown;
  async function* noting(): AsyncGenerator<Uint8Array> {
    try {
      yield* content;
    } catch (error) {
      failure = error ?? new Error(`nothing to send to "${registry}"`);
      throw error;
    }
  }
  const stream = Readable.from(noting(), { objectMode: false });
  const during = async (request: Promise<Exchange>): Promise<Exchange> => {
    try {
      return await request;
    } catch (error) {
      throw failure ?? error;
    } finally {
      stream.destroy(); // The registry may have answered before it had read all.
    }
  };
  return { stream, during };
}

/** The same bytes in pieces of `size`; only the last is shorter. */
async function* inPieces(content: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Buffer> {
  let kept: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of content) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + size - length);
      kept.push(part);
      length += part.length;
      at += part.length;
      if (length < size) continue;
      yield Buffer.concat(kept);
      kept = [];
      length = 0;
    }
  }
  if (length > 0) yield Buffer.concat(kept);
}
