import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';

/** One request, and the ways to answer it. */
export interface OddRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The path with its query. */
  readonly path: string;
  /** How often this method and path was asked for before. */
  readonly seen: number;
  /** The right answer. */
  serve(): void;
}

/** A registry that has one image, `app:1`, and does to each request what a test wants: errors, lies, half answers. */
export interface OddRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** `GET /v2/… <authorization>`, in the order in which they came. */
  readonly requests: string[];
}

const digest = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const described = (mediaType: string, bytes: Buffer) => ({ mediaType, digest: digest(bytes), size: bytes.length });
const oci = 'application/vnd.oci.image';

// A tar may be of nothing but its end; what counts here are the bytes on the line. Stored, so that the blob is large.
const tar = Buffer.alloc(64 * 1024);
export const layer = gzipSync(tar, { level: 0 });
const config = Buffer.from(
  JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [digest(tar)] },
    history: [{ created: '2024-01-02T03:04:05Z', created_by: 'test' }],
  }),
);
export const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: `${oci}.manifest.v1+json`,
    config: described(`${oci}.config.v1+json`, config),
    layers: [described(`${oci}.layer.v1.tar+gzip`, layer)],
  }),
);
export const layerPath = `/v2/app/blobs/${digest(layer)}`;
export const manifestPath = '/v2/app/manifests/1';
export const manifestDigest = digest(manifest);

/** `answer` gets every request but those for `/v2/` itself; without one, everything is as it should be. */
export async function startOddRegistry(answer: (asked: OddRequest) => void | Promise<void> = ({ serve }) => serve()): Promise<OddRegistry> {
  const requests: string[] = [];
  const counts = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    if (path === '/v2/') return void response.end('{}');
    const line = `${request.method} ${path}`;
    requests.push(`${line} ${request.headers.authorization ?? '-'}`);
    const seen = counts.get(line) ?? 0;
    counts.set(line, seen + 1);
    void answer({ request, response, path, seen, serve: () => serve(request, response) });
  });
  server.on('clientError', (_, socket) => socket.destroy()); // Whoever speaks TLS to it.
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const close = async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  return { host: `127.0.0.1:${address.port}`, requests, [Symbol.asyncDispose]: close };
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  const [path = ''] = (request.url ?? '').split('?');
  const found = content(path);
  if (request.method === 'POST') return void response.writeHead(202, { location: '/v2/app/blobs/uploads/1?state=x' }).end();
  if (request.method === 'PATCH') return void request.resume().on('end', () => response.writeHead(202, { location: path }).end());
  if (request.method === 'PUT') return void request.resume().on('end', () => response.writeHead(201).end());
  if (!found) return void response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}');
  const offset = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const part = found.bytes.subarray(offset);
  const headers = { 'content-type': found.type, 'content-length': part.length };
  if (offset > 0)
    response.writeHead(206, { ...headers, 'content-range': `bytes ${offset}-${found.bytes.length - 1}/${found.bytes.length}` });
  else response.writeHead(200, headers);
  response.end(request.method === 'HEAD' ? undefined : part);
}

function content(path: string): { bytes: Buffer; type: string } | undefined {
  if (path === manifestPath || path === `/v2/app/manifests/${manifestDigest}`) return { bytes: manifest, type: `${oci}.manifest.v1+json` };
  const bytes = [config, layer].find((one) => path === `/v2/app/blobs/${digest(one)}`);
  return bytes && { bytes, type: 'application/octet-stream' };
}

/** How a test answers a request. */
export type Answer = (asked: OddRequest) => void;

/** Answers requests for `path` by `odd`, all others as they should be. */
export const at =
  (path: string, odd: Answer): Answer =>
  (asked) =>
    asked.path === path ? odd(asked) : asked.serve();

/** A status, and nothing that was asked for. */
export const status =
  (code: number, body = '', headers: Record<string, string> = {}): Answer =>
  ({ response }) =>
    void response.writeHead(code, headers).end(body);

/** 200, with this body whatever was asked for. */
export const whole =
  (body: string | Buffer, type = 'application/vnd.oci.image.manifest.v1+json', headers: Record<string, string> = {}): Answer =>
  ({ response }) =>
    void response.writeHead(200, { 'content-type': type, ...headers }).end(body);

/** A body as registries send it with an error. */
export const errors = (code: string, message: string) => JSON.stringify({ errors: [{ code, message }] });
