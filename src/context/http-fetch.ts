import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { BuildError } from '../diagnostics/build-error.ts';
import type { Digest } from '../oci/digest.ts';
import type { HttpResponse } from '../registry/transport.ts';
import { redactUrl } from './git-access.ts';
import { refusedFile, unreachable } from './http-error.ts';
import { type HttpAccess, requestFile } from './http-request.ts';
import { parseHttpTime } from './http-time.ts';

/** What a server said of a file that it gave. */
export interface FileVersion {
  /** Without the mark of a weak one. */
  readonly etag?: string;
  /** The header as it came, where it is a date. */
  readonly lastModified?: string;
  /** Seconds between that and the answer: a young file may change within the same second. */
  readonly age?: number;
}

export interface FetchedFile extends FileVersion {
  readonly digest: Digest;
  /** Seconds since the epoch: Last-Modified, else 0. */
  readonly mtime: number;
}

/** More than any file that a Dockerfile should fetch: a server must not be able to fill the disk without end. */
const maxFileBytes = 64 * 1024 ** 3;

/** Younger ones may change without that one can see it. Source: RFC 9110, 8.8.2.2. */
const minAge = 60;

/**
 * Whether the file at a URL is still this version. Asked by HEAD first where it has an ETag, because some servers send the same file again
 * in spite of it. Source: BuildKit 0.32, source/http. Its Last-Modified, where there is no ETag, is ours.
 */
export async function isUnchanged(url: string, known: FileVersion, access: HttpAccess, signal: AbortSignal): Promise<boolean> {
  if (known.etag === undefined) return false;
  const headers = { 'if-none-match': known.etag, 'accept-encoding': 'gzip' };
  // A server may know no HEAD: then the GET that follows says what is wrong.
  const response = await requestFile(access, 'HEAD', url, headers, signal).catch((error) => {
    signal.throwIfAborted();
    if (error instanceof BuildError) return undefined;
    throw error;
  });
  await response?.discard();
  if (response?.status !== 200 && response?.status !== 304) return false;
  const etag = plainTag(response.header('etag'));
  return etag === known.etag || (etag === undefined && response.status === 304);
}

/** Fetches a file to `path`, which does not exist. Undefined: the server says that it is still the `known` version. Throws URL_FAILED. */
export async function fetchFile(
  url: string,
  path: string,
  { known = {}, maxBytes = maxFileBytes }: { readonly known?: FileVersion; readonly maxBytes?: number },
  access: HttpAccess,
  signal: AbortSignal,
): Promise<FetchedFile | undefined> {
  const response = await requestFile(access, 'GET', url, { 'accept-encoding': 'gzip', ...conditions(known) }, signal);
  if (response.status === 304 && Object.keys(conditions(known)).length > 0) {
    await response.discard();
    return undefined;
  }
  if (response.status < 200 || response.status >= 300) throw await refusedFile(url, response);
  const lastModified = response.header('last-modified');
  const mtime = parseHttpTime(lastModified);
  await using file = await open(path, 'wx', 0o600);
  const digest = await save(url, response, file, maxBytes).catch((error) => {
    signal.throwIfAborted();
    throw error instanceof BuildError || isSystemError(error) ? error : unreachable(url, new URL(url), error);
  });
  // Whatever our umask is.
  await file.chmod(0o600);
  await file.utimes(mtime ?? 0, mtime ?? 0);
  await file.sync();
  const etag = plainTag(response.header('etag'));
  const date = parseHttpTime(response.header('date'));
  return {
    digest,
    mtime: mtime ?? 0,
    ...(etag !== undefined && { etag }),
    ...(mtime !== undefined && lastModified !== undefined && { lastModified }),
    ...(mtime !== undefined && date !== undefined && { age: date - mtime }),
  };
}

function conditions({ etag, lastModified, age = 0 }: FileVersion): Record<string, string> {
  if (etag !== undefined) return { 'if-none-match': etag };
  return lastModified !== undefined && age >= minAge ? { 'if-modified-since': lastModified } : {};
}

/** Writes and digests the body. As BuildKit's HTTP client does, what was packed for the way only is unpacked. */
async function save(url: string, response: HttpResponse, file: FileHandle, maxBytes: number): Promise<Digest> {
  const isPacked = response.header('content-encoding')?.toLowerCase() === 'gzip';
  const body = isPacked ? unpacked(response.body) : response.body;
  const hash = createHash('sha256');
  let length = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > maxBytes) {
      throw new BuildError('URL_FAILED', `"${redactUrl(url)}" has more than ${maxBytes} bytes`, { hint: 'fetch so large a file in a RUN' });
    }
    hash.update(chunk);
    await writeAll(file, chunk);
  }
  return `sha256:${hash.digest('hex')}` as Digest;
}

function unpacked(body: Readable): Readable {
  const gunzip = createGunzip();
  body.on('error', (error) => gunzip.destroy(error));
  gunzip.on('close', () => body.destroy());
  return body.pipe(gunzip);
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
}

/** A full disk is no fault of the server. */
const isSystemError = (error: unknown): boolean =>
  error instanceof Error && 'syscall' in error && ['write', 'open', 'fsync', 'fchmod', 'futime'].includes(String(error.syscall));

const plainTag = (etag: string | undefined): string | undefined => etag?.replace(/^W\//, '') || undefined;
