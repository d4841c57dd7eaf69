import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';

/** One request, as a server of a test saw it. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly status: number;
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A server on the loopback whose answers a test may change while it runs: `await using server = await fileServer()`. */
export interface FileServer extends AsyncDisposable {
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  /** By path; anything else is a 404. */
  readonly paths: Map<string, Handler>;
  /** The requests since the last call. */
  seen(): readonly Seen[];
}

export async function fileServer(tls?: { readonly key: string; readonly cert: string }): Promise<FileServer> {
  const paths = new Map<string, Handler>();
  let requests: Seen[] = [];
  const listener: RequestListener = (request, response) => {
    const path = request.url ?? '';
    response.once('close', () => {
      const { method = '', headers } = request;
      requests.push({ method, path, authorization: headers.authorization, status: response.statusCode });
    });
    const handler = paths.get(path);
    if (handler) handler(request, response);
    else response.writeHead(404).end('nothing here');
  };
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http${tls ? 's' : ''}://127.0.0.1:${address.port}`,
    paths,
    seen() {
      const seen = requests;
      requests = [];
      return seen;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Answers with these bytes and headers. */
export const file =
  (body: string | Buffer, headers: Readonly<Record<string, string>> = {}, status = 200): Handler =>
  (_request, response) => {
    response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers });
    response.end(body);
  };

/** As a server with ETags: 304 where the client has this version. */
export const versioned =
  (body: string, etag: string, headers: Readonly<Record<string, string>> = {}): Handler =>
  (request, response) => {
    const known = (request.headers['if-none-match'] ?? '').split(', ').includes(etag.replace(/^W\//, ''));
    if (known) response.writeHead(304, { etag, ...headers }).end();
    else file(body, { etag, ...headers })(request, response);
  };

/** Leads elsewhere. */
export const redirect =
  (location: string, status = 302): Handler =>
  (_request, response) => {
    response.writeHead(status, { location }).end();
  };
