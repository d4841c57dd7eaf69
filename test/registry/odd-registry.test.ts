import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Credentials } from '../../src/registry/credentials.ts';
import { withCode } from '../support/errors.ts';
import { pull, retry } from '../support/odd-pull.ts';
import {
  type Answer,
  at,
  errors,
  layer,
  layerPath,
  manifest,
  manifestDigest,
  manifestPath,
  startOddRegistry,
  status,
  whole,
} from '../support/odd-registry.ts';

const platform = { os: 'linux', architecture: 'amd64' };
/** Says the blob's whole length, sends a half from where it was asked to begin, and hangs up. */
const cut: Answer = ({ request, response }) => {
  const offset = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const rest = layer.subarray(offset);
  response.writeHead(offset > 0 ? 206 : 200, {
    'content-length': rest.length,
    'content-range': `bytes ${offset}-${layer.length - 1}/${layer.length}`,
  });
  response.write(rest.subarray(0, rest.length / 2), () => response.destroy());
};

const index = (manifests: unknown[]) =>
  JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests });
const entry = (digest: string, mediaType = 'application/vnd.oci.image.manifest.v1+json') => ({ mediaType, digest, size: 2, platform });

for (const { name, answer, code, message } of [
  { name: '401 with no challenge', answer: status(401), code: 'REGISTRY_AUTH', message: /asks for no credentials that cooper knows/ },
  {
    name: '401 with basic',
    answer: status(401, '', { 'www-authenticate': 'Basic realm="x"' }),
    code: 'REGISTRY_AUTH',
    message: /there are none/,
  },
  {
    name: '403',
    answer: status(403, errors('DENIED', 'not you')),
    code: 'REGISTRY_AUTH',
    message: /answered 403 \(DENIED: not you\) to GET http/,
  },
  { name: '404', answer: status(404), code: 'BASE_NOT_FOUND', message: /there is no image ".*\/app:1"/ },
  { name: '400', answer: status(400, errors('UNSUPPORTED', 'no')), code: 'REGISTRY_FAILED', message: /answered 400 \(UNSUPPORTED: no\)/ },
  { name: '500', answer: status(500, 'oops'), code: 'REGISTRY_FAILED', message: /answered 500 \(oops\)/ },
  { name: '429 with a long wait', answer: status(429, '', { 'retry-after': '3600' }), code: 'REGISTRY_FAILED', message: /429/ },
  {
    name: 'colours in a message',
    answer: status(400, '\x1b[31mred\x07\r\n'),
    code: 'REGISTRY_FAILED',
    message: /^[\x20-\x7e]*\(\[31mred\)[\x20-\x7e]*$/,
  },
  { name: 'a hung-up line', answer: ({ response }) => void response.destroy(), code: 'REGISTRY_UNREACHABLE', message: /no connection/ },
  { name: 'a page of HTML', answer: whole('<html>', 'text/html'), code: 'IMAGE_INVALID', message: /not valid JSON/ },
  { name: 'JSON that is no object', answer: whole('[1]'), code: 'IMAGE_INVALID', message: /expected an object/ },
  { name: 'invalid UTF-8', answer: whole(Buffer.from([0x7b, 0xff, 0x7d])), code: 'IMAGE_INVALID', message: /not valid JSON/ },
  {
    name: 'schema 1',
    answer: whole('{"schemaVersion":1}', 'application/vnd.docker.distribution.manifest.v1+json'),
    code: 'IMAGE_INVALID',
    message: /is of type/,
  },
  {
    name: 'another type inside than outside',
    answer: whole(manifest, 'application/vnd.oci.image.index.v1+json'),
    code: 'IMAGE_INVALID',
    message: /its registry says/,
  },
  {
    name: 'layers and manifests in one',
    answer: whole('{"schemaVersion":2,"layers":[],"manifests":[],"config":{}}'),
    code: 'IMAGE_INVALID',
    message: /does not belong/,
  },
  { name: 'a manifest of 5 MiB', answer: whole(Buffer.alloc(5 * 1024 * 1024, ' ')), code: 'IMAGE_INVALID', message: /longer than 4194304/ },
  {
    name: 'a manifest with another digest than it says',
    answer: whole(manifest, undefined, { 'docker-content-digest': `sha256:${'0'.repeat(64)}` }),
    code: 'IMAGE_INVALID',
    message: /calls it/,
  },
  {
    name: 'an index without our platform',
    answer: whole(index([]), 'application/vnd.oci.image.index.v1+json'),
    code: 'PLATFORM_UNSUPPORTED',
    message: /no platform/,
  },
  {
    name: 'an index that names an index',
    answer: whole(index([entry(manifestDigest, 'application/vnd.oci.image.index.v1+json')]), 'application/vnd.oci.image.index.v1+json'),
    code: 'PLATFORM_UNSUPPORTED',
    message: /no platform/,
  },
  {
    name: 'an index that names what is not there',
    answer: whole(index([entry(`sha256:${'0'.repeat(64)}`)]), 'application/vnd.oci.image.index.v1+json'),
    code: 'BASE_NOT_FOUND',
    message: /no image/,
  },
  {
    name: 'a digest that is a path',
    answer: whole(index([entry('sha256:../../../etc/passwd')]), 'application/vnd.oci.image.index.v1+json'),
    code: 'IMAGE_INVALID',
    message: /expected a sha256 digest/,
  },
  {
    name: 'a redirect to a file',
    answer: status(307, '', { location: 'file:///etc/passwd' }),
    code: 'REGISTRY_FAILED',
    message: /redirects to nowhere/,
  },
  { name: 'a redirect without a place', answer: status(302), code: 'REGISTRY_FAILED', message: /./ },
  {
    name: 'a redirect to itself',
    answer: status(307, '', { location: manifestPath }),
    code: 'REGISTRY_FAILED',
    message: /redirects to nowhere/,
  },
] as const satisfies readonly { name: string; answer: Answer; code: string; message: RegExp }[]) {
  test(`a manifest: ${name}`, () => assert.rejects(pull(at(manifestPath, answer)), withCode(code, message)));
}

for (const { name, answer, code, message } of [
  {
    name: 'other bytes of the same length',
    answer: whole(Buffer.alloc(layer.length, 'x')),
    code: 'IMAGE_INVALID',
    message: /expected a blob/,
  },
  { name: 'too many bytes', answer: whole(Buffer.concat([layer, layer])), code: 'IMAGE_INVALID', message: /longer than/ },
  {
    name: 'a half that says it is all, and no more when asked',
    answer: whole(layer.subarray(0, 1000)),
    code: 'IMAGE_INVALID',
    message: /only in part: it ends after 1000/,
  },
  { name: 'nothing', answer: whole(''), code: 'IMAGE_INVALID', message: /ends after 0/ },
  { name: '404', answer: status(404), code: 'REGISTRY_FAILED', message: /answered 404/ },
  {
    name: 'a range that was not asked for',
    answer: status(206, 'x', { 'content-range': 'bytes 5-5/6' }),
    code: 'REGISTRY_FAILED',
    message: /206/,
  },
] as const satisfies readonly { name: string; answer: Answer; code: string; message: RegExp }[]) {
  test(`a layer: ${name}`, () => assert.rejects(pull(at(layerPath, answer)), withCode(code, message)));
}

test('a layer that breaks off every time is given up', async () => {
  const always: Answer = ({ response }) => {
    response.writeHead(200, { 'content-length': layer.length });
    response.write(layer.subarray(0, 1000), () => response.destroy());
  };
  await assert.rejects(pull(at(layerPath, always)), withCode('IMAGE_INVALID', /ends after 1000 of/));
});

test('a layer that breaks off is resumed where it broke off', async () => {
  const ranges: (string | undefined)[] = [];
  await pull(
    at(layerPath, (asked) => {
      ranges.push(asked.request.headers.range);
      return asked.seen === 0 ? cut(asked) : asked.serve();
    }),
  );
  assert.equal(ranges.length, 2);
  assert.match(ranges[1] ?? '', /^bytes=[1-9]\d*-$/);
});

test('a layer that breaks off is fetched anew where ranges are not known', async () => {
  await pull(at(layerPath, (asked) => (asked.seen === 0 ? cut(asked) : whole(layer)(asked))));
});

test('what fails for a moment is tried again', async () => {
  const { requests } = await pull((asked) => {
    if (asked.seen === 0) return status(503, '', { 'retry-after': '0' })(asked);
    return asked.seen === 1 && asked.path === manifestPath ? void asked.response.destroy() : asked.serve();
  });
  assert.equal(requests.filter((line) => line.includes(manifestPath)).length, 3);
});

test('what fails on and on is tried as often as was said', async () => {
  let count = 0;
  await assert.rejects(
    pull(
      at(manifestPath, (asked) => {
        count++;
        status(502)(asked);
      }),
    ),
  );
  assert.equal(count, retry.attempts);
});

test('a manifest by digest must have that digest', async () => {
  const other = Buffer.concat([manifest, Buffer.from(' ')]);
  const path = `/v2/app/manifests/${manifestDigest}`;
  await assert.rejects(pull(at(path, whole(other)), { name: `app@${manifestDigest}` }), withCode('IMAGE_INVALID', /expected a manifest/));
  await pull(({ serve }) => serve(), { name: `app@${manifestDigest}` });
});

test('credentials do not follow a redirect', async () => {
  await using storage = await startOddRegistry();
  const credentials: Credentials = { kind: 'password', username: 'user', password: 'secret' };
  const { requests } = await pull(
    (asked) => {
      if (!asked.request.headers.authorization) return status(401, '', { 'www-authenticate': 'Basic realm="x"' })(asked);
      return asked.path.includes('/blobs/') ? status(307, '', { location: `http://${storage.host}${asked.path}` })(asked) : asked.serve();
    },
    { credentials },
  );
  assert.ok(requests.some((line) => line.endsWith(`Basic ${Buffer.from('user:secret').toString('base64')}`)));
  assert.equal(storage.requests.length, 2);
  assert.ok(storage.requests.every((line) => line.endsWith(' -')));
});

test('an abort ends a download', async () => {
  const controller = new AbortController();
  const stall: Answer = ({ response }) => {
    response.writeHead(200, { 'content-length': layer.length });
    response.write(layer.subarray(0, 100), () => controller.abort(new Error('stopped')));
  };
  await assert.rejects(pull(at(layerPath, stall), { end: controller.signal }), /stopped/);
});
