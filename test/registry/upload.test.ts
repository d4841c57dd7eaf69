import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { Digest } from '../../src/oci/digest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { pushImage } from '../../src/push.ts';
import { Registry } from '../../src/registry/registry.ts';
import { withCode } from '../support/errors.ts';
import { putImage } from '../support/images.ts';
import { retry } from '../support/odd-pull.ts';
import { type Answer, errors, startOddRegistry, status } from '../support/odd-registry.ts';
import { temporaryStore } from '../support/store.ts';

const { signal } = new AbortController();

/** Pushes a small image to a registry that answers so, and gives the requests. */
async function push(answer: Answer, damage = false): Promise<string[]> {
  await using server = await startOddRegistry(answer);
  await using made = await temporaryStore();
  const registry = new Registry({
    environment: {},
    retry,
    credentials: { get: async () => ({ kind: 'password', username: 'u', password: 'p' }) },
  });
  try {
    const image = await putImage(made.store, ['a']);
    const { layers } = JSON.parse((await made.store.blobs.readBytes(image.digest, 10_000)).toString()) as {
      layers: { digest: Digest; size: number }[];
    };
    if (damage) await writeFile(made.store.blobs.path(layers[0]?.digest as Digest), Buffer.alloc(layers[0]?.size ?? 0));
    await pushImage(image, parseReference(`${server.host}/app:1`), { store: made.store, registry }, signal);
    return server.requests;
  } finally {
    await registry.close();
  }
}

const count = (requests: readonly string[], start: string) => requests.filter((line) => line.startsWith(start)).length;

test('an upload that fails for a moment begins anew', async () => {
  const failing = new Set(['PUT']);
  const requests = await push((asked) => {
    if (!failing.delete(asked.request.method ?? '')) return asked.serve();
    return void asked.request.resume().on('end', () => status(500)(asked));
  });
  assert.equal(count(requests, 'POST /v2/app/blobs/uploads/'), 3);
});

test('a line that breaks in an upload is not the end of it', async () => {
  let broken = false;
  await push((asked) => {
    if (broken || asked.request.method !== 'PUT') return asked.serve();
    broken = true;
    return void asked.response.destroy();
  });
});

test('a blob that is too large at once is sent in pieces', async () => {
  const requests = await push((asked) => {
    const isBlob = asked.request.method === 'PUT' && asked.request.headers['content-length'] !== '0' && asked.path.includes('/blobs/');
    return isBlob ? void asked.request.resume().on('end', () => status(413)(asked)) : asked.serve();
  });
  assert.equal(count(requests, 'PATCH /v2/app/blobs/uploads/'), 2);
});

test('an upload that is refused is refused', async () => {
  await assert.rejects(
    push((asked) =>
      asked.request.method === 'PUT'
        ? void asked.request.resume().on('end', () => status(400, errors('DIGEST_INVALID', 'no'))(asked))
        : asked.serve(),
    ),
    withCode('REGISTRY_FAILED', /400 \(DIGEST_INVALID: no\)/),
  );
});

test('a registry that does not say where to upload to', async () => {
  await assert.rejects(
    push((asked) => (asked.request.method === 'POST' ? status(202)(asked) : asked.serve())),
    withCode('REGISTRY_FAILED', /where to upload/),
  );
});

test('a blob that is damaged here is not sent, nor tried again', async () => {
  let puts = 0;
  const answer: Answer = (asked) => {
    if (asked.request.method === 'PUT' && asked.path.includes('/blobs/') && asked.request.headers['content-length'] !== undefined) puts++;
    asked.serve();
  };
  await assert.rejects(push(answer, true), withCode('IMAGE_INVALID', /expected a blob/));
  assert.ok(puts <= 2);
});

test('credentials do not follow an upload to another host', async () => {
  await using storage = await startOddRegistry();
  const requests = await push((asked) => {
    if (!asked.request.headers.authorization) return status(401, '', { 'www-authenticate': 'Basic realm="x"' })(asked);
    return asked.request.method === 'POST'
      ? status(202, '', { location: `http://${storage.host}/v2/app/blobs/uploads/1?signature=x` })(asked)
      : asked.serve();
  });
  assert.ok(requests.some((line) => line.includes('Basic')));
  assert.equal(storage.requests.length, 2);
  assert.ok(storage.requests.every((line) => line.endsWith(' -') && line.includes('?signature=x&digest=sha256%3A')));
});
