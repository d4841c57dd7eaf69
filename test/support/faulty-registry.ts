import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/** What the registry does wrong. `blob`: with layers only; statuses: with everything. */
export type Fault = 401 | 404 | 500 | 'wrong blob' | 'half a blob';

/** Passes everything on to a real registry, and does one thing wrong. */
export interface FaultyRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
}

export async function startFaultyRegistry(behind: string, fault: Fault): Promise<FaultyRegistry> {
  const server = createServer((request, response) => {
    // A broken answer is what this is for; whoever asked has gone then.
    answer(request, response, behind, fault).catch(() => response.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    host: `127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, behind: string, fault: Fault): Promise<void> {
  if (typeof fault === 'number') return refuse(response, fault);
  const { range, accept } = request.headers;
  const headers = { ...(range && { range }), ...(accept && { accept }) };
  const upstream = await fetch(`http://${behind}${request.url}`, { method: request.method ?? 'GET', headers });
  const body = Buffer.from(await upstream.arrayBuffer());
  const type = upstream.headers.get('content-type') ?? 'application/octet-stream';
  const length = upstream.headers.get('content-length') ?? String(body.length);
  response.writeHead(upstream.status, { ...Object.fromEntries(upstream.headers), 'content-type': type, 'content-length': length });
  const isBlob = request.method === 'GET' && request.url?.includes('/blobs/') && body.length > 0;
  if (isBlob && fault === 'wrong blob') body[body.length >> 1] = (body[body.length >> 1] ?? 0) ^ 1;
  if (isBlob && fault === 'half a blob') {
    // The rest never comes: neither the first time nor for a range.
    response.write(range ? '' : body.subarray(0, body.length >> 1), () => response.destroy());
    return;
  }
  response.end(body);
}

function refuse(response: ServerResponse, status: 401 | 404 | 500): void {
  const code = { 401: 'UNAUTHORIZED', 404: 'NAME_UNKNOWN', 500: 'UNKNOWN' }[status];
  response.writeHead(status, { 'content-type': 'application/json', ...(status === 401 && { 'www-authenticate': 'Basic realm="test"' }) });
  response.end(JSON.stringify({ errors: [{ code, message: 'this registry always says so' }] }));
}
