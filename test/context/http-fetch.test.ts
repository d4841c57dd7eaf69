import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { fetchFile } from '../../src/context/http-fetch.ts';
import { BuildError } from '../../src/diagnostics/build-error.ts';
import { defaultTimeouts, Transport } from '../../src/registry/transport.ts';
import { file, fileServer, type Handler } from '../support/file-server.ts';

/** Fetches what a server gives, with these limits. */
async function fetched(
  handler: Handler,
  { maxBytes = 1000, timeouts = {} }: { maxBytes?: number; timeouts?: Partial<typeof defaultTimeouts> },
) {
  await using server = await fileServer();
  await using cleanup = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'cooper-fetch-'));
  cleanup.defer(() => rm(directory, { recursive: true }));
  const transport = new Transport({}, { ...defaultTimeouts, ...timeouts });
  cleanup.defer(() => transport.close());
  server.paths.set('/f', handler);
  const access = { transport, secret: () => undefined };
  return await fetchFile(`${server.url}/f`, join(directory, 'f'), { maxBytes }, access, new AbortController().signal);
}

for (const { name, handler, limits, message } of [
  { name: 'a file that is too long', handler: file('x'.repeat(1001)), limits: {}, message: /more than 1000 bytes/ },
  {
    name: 'a small file that unpacks to a huge one',
    handler: file(gzipSync(Buffer.alloc(1e7)), { 'content-encoding': 'gzip' }),
    limits: {},
    message: /more than 1000 bytes/,
  },
  {
    name: 'what is said to be packed and is not',
    handler: file('plain', { 'content-encoding': 'gzip' }),
    limits: {},
    message: /incorrect header check/,
  },
  {
    name: 'a server that gives no answer',
    handler: () => {},
    limits: { timeouts: { headMs: 50 } },
    message: /no answer came in time/,
  },
  {
    name: 'a server that stops in the middle',
    handler: ((_request, response) => response.writeHead(200, { 'content-length': 100 }).write('some')) as Handler,
    limits: { timeouts: { idleMs: 50 } },
    message: /the server stopped sending/,
  },
]) {
  test(`${name} is refused`, async () => {
    await assert.rejects(fetched(handler, limits), (error) => {
      assert.ok(error instanceof BuildError);
      assert.equal(error.code, 'URL_FAILED');
      assert.match(error.message, message);
      assert.ok(error.hint);
      return true;
    });
  });
}

test('a file of exactly the limit is taken', async () => {
  const found = await fetched(file('x'.repeat(1000)), {});
  assert.equal(found?.mtime, 0);
});
