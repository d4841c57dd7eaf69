import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { validateImage } from '../../src/image/validate-image.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { pullImage } from '../../src/pull.ts';
import { pushImage } from '../../src/push.ts';
import type { Credentials } from '../../src/registry/credentials.ts';
import { Registry } from '../../src/registry/registry.ts';
import { withCode } from '../support/errors.ts';
import { putImage } from '../support/images.ts';
import { layer, layerPath, manifest, manifestDigest, manifestPath, type OddRequest, startOddRegistry } from '../support/odd-registry.ts';
import { temporaryStore } from '../support/store.ts';

const platform = { os: 'linux', architecture: 'amd64' };
const { signal } = new AbortController();
const retry = { attempts: 3, baseMs: 1 };
type Answer = (asked: OddRequest) => void;

/** Answers requests for `path` by `odd`, all others as they should be. */
const at =
  (path: string, odd: Answer): Answer =>
  (asked) =>
    asked.path === path ? odd(asked) : asked.serve();

const status =
  (code: number, body = '', headers: Record<string, string> = {}): Answer =>
  ({ response }) =>
    void response.writeHead(code, headers).end(body);

const whole =
  (body: string | Buffer, type = 'application/vnd.oci.image.manifest.v1+json', headers: Record<string, string> = {}): Answer =>
  ({ response }) =>
    void response.writeHead(200, { 'content-type': type, ...headers }).end(body);

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

interface Pulled {
  readonly requests: string[];
  readonly host: string;
}

/** Pulls `name` from a registry that answers so. What fails leaves no name, and no file that is not finished. */
async function pull(
  answer: Answer,
  { name = 'app:1', credentials, end = signal }: { name?: string; credentials?: Credentials; end?: AbortSignal } = {},
): Promise<Pulled> {
  await using server = await startOddRegistry(answer);
  await using made = await temporaryStore();
  const registry = new Registry({ environment: {}, retry, credentials: { get: async () => credentials } });
  try {
    const ref = await pullImage(`${server.host}/${name}`, platform, { store: made.store, registry }, end);
    assert.deepEqual(await validateImage(made.store.blobs, ref.descriptor), []);
    return { requests: server.requests, host: server.host };
  } catch (error) {
    assert.deepEqual(await made.store.refs.list(), []);
    throw error;
  } finally {
    await registry.close();
    assert.deepEqual(await readdir(join(made.store.root, 'tmp/test')), []);
  }
}

const errors = (code: string, message: string) => JSON.stringify({ errors: [{ code, message }] });
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

/** A registry with a token server of its own. `grant` answers for the token; the registry wants `Bearer good`. */
function bearer(grant: Answer, forms: string[] = []): Answer {
  return (asked) => {
    const { request, path } = asked;
    if (path.startsWith('/token')) {
      return void request.on('data', (chunk) => forms.push(String(chunk))).on('end', () => grant(asked));
    }
    if (request.headers.authorization === 'Bearer good') return asked.serve();
    const challenge = `Bearer realm="http://${request.headers.host}/token?x=1",service="the service",scope="repository:app:pull"`;
    return status(401, '', { 'www-authenticate': challenge })(asked);
  };
}

test('a token is asked for once, for what is to be done', async () => {
  const { requests } = await pull(bearer(whole('{"token":"good","expires_in":300}')));
  const asked = requests.filter((line) => line.includes('/token'));
  assert.deepEqual(asked, ['GET /token?x=1&service=the+service&scope=repository%3Aapp%3Apull -']);
});

test('a password goes to the token server, and the token to the registry', async () => {
  const credentials: Credentials = { kind: 'password', username: 'user', password: 'secret' };
  const { requests } = await pull(bearer(whole('{"access_token":"good"}')), { credentials });
  for (const line of requests) {
    assert.equal(line.includes('Basic'), line.includes('/token'), line);
  }
});

test('a refresh token is posted', async () => {
  const forms: string[] = [];
  await pull(bearer(whole('{"access_token":"good"}'), forms), { credentials: { kind: 'identity', token: 'refresh' } });
  assert.deepEqual(Object.fromEntries(new URLSearchParams(forms.join(''))), {
    grant_type: 'refresh_token',
    client_id: 'cooper',
    refresh_token: 'refresh',
    service: 'the service',
    scope: 'repository:app:pull',
  });
});

for (const { name, grant, message } of [
  {
    name: 'refuses',
    grant: status(401, errors('UNAUTHORIZED', 'wrong password')),
    message: /answered 401 \(UNAUTHORIZED: wrong password\)/,
  },
  { name: 'gives a bad token', grant: whole('{"token":"bad"}'), message: /refuses these credentials|answered 401/ },
  { name: 'gives no token', grant: whole('{}'), message: /gave no token/ },
  { name: 'gives no JSON', grant: whole('hello'), message: /gave no token/ },
  { name: 'gives a token with a line end', grant: whole('{"token":"a\\r\\nx: y"}'), message: /gave no token/ },
]) {
  test(`a token server ${name}`, () => assert.rejects(pull(bearer(grant)), withCode('REGISTRY_AUTH', message)));
}

test('a token server must be one that can be trusted', async () => {
  for (const realm of ['ftp://127.0.0.1/token', 'file:///etc/passwd', 'token']) {
    const answer = status(401, '', { 'www-authenticate': `Bearer realm="${realm}"` });
    await assert.rejects(pull(answer), withCode('REGISTRY_AUTH', /cannot be trusted/));
  }
});

test('an abort ends a download', async () => {
  const controller = new AbortController();
  const stall: Answer = ({ response }) => {
    response.writeHead(200, { 'content-length': layer.length });
    response.write(layer.subarray(0, 100), () => controller.abort(new Error('stopped')));
  };
  await assert.rejects(pull(at(layerPath, stall), { end: controller.signal }), /stopped/);
});

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
