import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { added, refused, secret } from '../support/add.ts';
import { file, fileServer, redirect, versioned } from '../support/file-server.ts';
import { makeBench } from '../support/library.ts';
import { tool } from '../support/tools.ts';

const hello = 'hello\n';
const lastModified = 'Wed, 01 Jan 2020 02:03:04 GMT';
const sum = (text: string | Buffer) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
test('a file of a URL belongs to root alone, and has the time that the server says', async () => {
  await using server = await fileServer();
  await using bench = await makeBench({});
  server.paths.set('/d/f.txt?x=1', file(hello, { 'last-modified': lastModified }));
  const { files, result } = await added(bench, `ADD ${server.url}/d/f.txt?x=1#part /to/`);
  const { mode, uid, gid, mtime, text } = files.get('to/f.txt') ?? assert.fail();
  assert.deepEqual({ mode, uid, gid, mtime, text }, { mode: 0o600, uid: 0, gid: 0, mtime: 1577844184, text: hello });
  assert.equal((await added(bench, `ADD ${server.url}/d/f.txt?x=1#part /to/`)).result.digest, result.digest);
});

for (const { name, header } of [
  { name: 'no time', header: {} },
  { name: 'what is no time', header: { 'last-modified': 'yesterday' } },
]) {
  test(`a server that says ${name} gives a file of 1970`, async () => {
    await using server = await fileServer();
    await using bench = await makeBench({});
    server.paths.set('/f', file(hello, header));
    assert.equal((await added(bench, `ADD ${server.url}/f /f`)).files.get('f')?.mtime, 0);
  });
}

for (const { name, line, at, want } of [
  { name: '--chown and --chmod', line: 'ADD --chown=5:6 --chmod=751 URL/a.tgz /x', at: 'x', want: { mode: 0o751, uid: 5, gid: 6 } },
  { name: 'a destination without slash', line: 'ADD URL/a.tgz /d/x', at: 'd/x', want: { mode: 0o600 } },
  { name: '--link', line: 'ADD --link URL/a.tgz /d/', at: 'd/a.tgz', want: { mode: 0o600 } },
  { name: '--unpack', line: 'ADD --unpack URL/a.tgz /d/', at: 'd/in/f', want: { text: hello } },
  { name: '--unpack of what is no archive', line: 'ADD --unpack URL/plain /d/', at: 'd/plain', want: { text: hello } },
  { name: 'a path without a name', line: 'ADD URL /d/', at: 'd/__unnamed__', want: { text: 'root' } },
  { name: 'a name with wildcards', line: 'ADD URL/%5Bx%5D%2A /d/', at: 'd/[x]*', want: { text: 'odd' } },
  { name: 'a WORKDIR', line: 'WORKDIR /w\nADD URL/plain .', at: 'w/plain', want: { text: hello } },
  { name: 'a variable', line: 'ARG N=plain\nADD URL/$N /', at: 'plain', want: { text: hello } },
]) {
  test(`ADD of a URL knows ${name}`, async () => {
    await using server = await fileServer();
    await using bench = await makeBench({ 'in/f': hello });
    await tool('tar', ['-C', bench.context, '-czf', join(bench.directory, 'a.tgz'), 'in']);
    server.paths.set('/a.tgz', file(await readFile(join(bench.directory, 'a.tgz'))));
    server.paths.set('/plain', file(hello));
    server.paths.set('/', file('root'));
    server.paths.set('/%5Bx%5D%2A', file('odd'));
    const found = (await added(bench, line.replace('URL', server.url))).files.get(at) ?? assert.fail(`${at} is not there`);
    for (const [key, value] of Object.entries(want)) assert.equal(found[key as keyof typeof found], value, key);
  });
}

test('what a server packs for the way is unpacked, as BuildKit does', async () => {
  await using server = await fileServer();
  await using bench = await makeBench({});
  server.paths.set('/f', file(gzipSync(hello), { 'content-encoding': 'gzip' }));
  assert.equal((await added(bench, `ADD ${server.url}/f /f`)).files.get('f')?.text, hello);
});

test('an unchanged file is not sent again: the server is asked by its ETag', async () => {
  await using server = await fileServer();
  await using bench = await makeBench({});
  server.paths.set('/f', versioned(hello, 'W/"1"'));
  const first = await added(bench, `ADD ${server.url}/f /f`);
  const ask = () => server.seen().map(({ method, status }) => `${method} ${status}`);
  assert.deepEqual(ask(), ['GET 200']);
  const second = await bench.built();
  assert.deepEqual(ask(), ['HEAD 304']);
  assert.deepEqual(second.ran, []);
  server.paths.set('/f', versioned('new\n', '"2"'));
  const third = await bench.built();
  assert.deepEqual(ask(), ['HEAD 200', 'GET 200']);
  assert.notEqual(third.result.digest, first.result.digest);
  // As some do: they know no HEAD.
  server.paths.set('/f', (request, response) =>
    request.method === 'HEAD' ? response.writeHead(405).end() : versioned('new\n', '"2"')(request, response),
  );
  assert.deepEqual((await bench.built()).ran, []);
  assert.deepEqual(ask(), ['HEAD 405', 'GET 304']);
});

test('without an ETag the time of an older file is asked for', async () => {
  await using server = await fileServer();
  await using bench = await makeBench({});
  server.paths.set('/f', (request, response) => {
    if (request.headers['if-modified-since'] === lastModified) response.writeHead(304).end();
    else file(hello, { 'last-modified': lastModified })(request, response);
  });
  await added(bench, `ADD ${server.url}/f /f`);
  server.seen();
  assert.deepEqual((await bench.built()).ran, []);
  assert.deepEqual(
    server.seen().map(({ status }) => status),
    [304],
  );
});

test('another time alone makes no new layer', async () => {
  await using server = await fileServer();
  await using bench = await makeBench({});
  server.paths.set('/f', file(hello, { 'last-modified': lastModified }));
  const first = await added(bench, `ADD ${server.url}/f /f`);
  server.paths.set('/f', file(hello, { 'last-modified': 'Thu, 02 Jan 2020 02:03:04 GMT' }));
  const second = await bench.built();
  assert.deepEqual(second.ran, []);
  assert.equal(second.result.digest, first.result.digest);
});

test('with a checksum nobody is asked while the cache has the layer', async () => {
  await using server = await fileServer();
  await using bench = await makeBench({});
  server.paths.set('/f', file(hello));
  const line = `ADD --checksum=${sum(hello)} ${server.url}/f /f`;
  await added(bench, line);
  assert.equal(server.seen().length, 1);
  server.paths.clear();
  assert.deepEqual((await bench.built()).ran, []);
  assert.deepEqual(server.seen(), []);
  // Nor for another layer of the same file.
  await added(bench, line.replace(/f$/, 'g'));
  assert.deepEqual(server.seen(), []);
});

test('a file without the checksum that was asked for is refused', async () => {
  await using server = await fileServer();
  await using bench = await makeBench({});
  server.paths.set('/f', file('other\n'));
  const error = await refused(bench, `ADD --checksum=${sum(hello)} ${server.url}/f /f`);
  assert.equal(error.code, 'CHECKSUM_MISMATCH');
  assert.match(error.message, new RegExp(`expected "${sum(hello)}".*found "${sum('other\n')}"`));
  assert.equal(error.range?.start.line, 2);
});

test('one URL is fetched once in a build, whoever wants it', async () => {
  await using server = await fileServer();
  await using bench = await makeBench({});
  server.paths.set('/f', file(hello));
  await added(bench, `ADD ${server.url}/f /f\nADD ${server.url}/f /g\nFROM scratch\nADD ${server.url}/f /h\nCOPY --from=0 / /`);
  assert.equal(server.seen().length, 1);
});

test('redirects are followed, but not without end', async () => {
  await using server = await fileServer();
  await using bench = await makeBench({});
  for (const [index, status] of [301, 302, 303, 307, 308].entries()) server.paths.set(`/${index}`, redirect(`/${index + 1}`, status));
  server.paths.set('/5', file(hello));
  // Its name is that of the URL in the Dockerfile.
  assert.equal((await added(bench, `ADD ${server.url}/0 /d/`)).files.get('d/0')?.text, hello);
  server.paths.set('/5', redirect('0'));
  assert.match((await refused(bench, `ADD ${server.url}/0 /e/`)).message, /leads in circles/);
  server.paths.set('/5', redirect('file:///etc/passwd'));
  assert.match((await refused(bench, `ADD ${server.url}/0 /e/`)).message, /no http or https URL/);
});

for (const { name, secrets, want } of [
  { name: 'a token', secrets: { HTTP_AUTH_TOKEN_: 'abc' }, want: 'Bearer abc' },
  { name: 'a header', secrets: { HTTP_AUTH_HEADER_: 'Custom abc\n' }, want: 'Custom abc' },
  { name: 'a token rather than a header', secrets: { HTTP_AUTH_TOKEN_: 'abc', HTTP_AUTH_HEADER_: 'x' }, want: 'Bearer abc' },
]) {
  test(`secrets give ${name} to the host that they are for`, async () => {
    await using server = await fileServer();
    await using other = await fileServer();
    await using bench = await makeBench({});
    server.paths.set('/f', redirect('/g'));
    server.paths.set('/g', redirect(`${other.url}/h`));
    other.paths.set('/h', redirect(`${server.url}/i`));
    server.paths.set('/i', file(hello));
    const given = Object.entries(secrets).map(([id, value]) => secret(`${id}127.0.0.1`, value));
    await added(bench, `ADD ${server.url}/f /`, { secrets: [...given, secret('HTTP_AUTH_TOKEN_elsewhere.example', 'no')] });
    const all = [...server.seen(), ...other.seen()].map(({ path, authorization }) => `${path} ${authorization ?? 'nothing'}`);
    assert.deepEqual(all, [`/f ${want}`, `/g ${want}`, '/i nothing', '/h nothing']);
  });
}

test('a user in the URL is told to its server, and to nobody else', async () => {
  await using server = await fileServer();
  await using bench = await makeBench({});
  const url = server.url.replace('//', '//us%40er:pa%3Ass@');
  const error = await refused(bench, `ADD ${url}/f /`);
  assert.deepEqual(
    server.seen().map(({ authorization }) => authorization),
    [`Basic ${Buffer.from('us@er:pa:ss').toString('base64')}`],
  );
  assert.doesNotMatch(error.message, /pa%3Ass|us%40er/);
});

for (const { status, hint } of [
  { status: 401, hint: /HTTP_AUTH_TOKEN_127\.0\.0\.1/ },
  { status: 403, hint: /HTTP_AUTH_TOKEN_127\.0\.0\.1/ },
  { status: 404, hint: /nothing is there/ },
  { status: 429, hint: /wait/ },
  { status: 500, hint: /side of the server/ },
  { status: 304, hint: /curl/ },
]) {
  test(`an answer ${status} is told with its words`, async () => {
    await using server = await fileServer();
    await using bench = await makeBench({});
    server.paths.set('/f', (_request, response) => response.writeHead(status).end());
    const error = await refused(bench, `ADD ${server.url}/f /`);
    assert.equal(error.code, 'URL_FAILED');
    assert.match(error.message, new RegExp(`answered ${status} [A-Z]`));
    assert.match(error.hint ?? '', hint);
    assert.equal(error.range?.start.line, 2);
  });
}

test('a server that breaks off leaves nothing behind', async () => {
  await using server = await fileServer();
  await using bench = await makeBench({});
  server.paths.set('/f', (_request, response) => {
    response.writeHead(200, { 'content-length': 1000 });
    response.write('some', () => response.destroy());
  });
  assert.equal((await refused(bench, `ADD ${server.url}/f /`)).code, 'URL_FAILED');
  server.paths.set('/f', file(hello));
  assert.equal((await added(bench, `ADD ${server.url}/f /`)).files.get('f')?.text, hello);
});

test('a port that nobody listens on is told', async () => {
  await using bench = await makeBench({});
  const server = await fileServer();
  await server[Symbol.asyncDispose]();
  const error = await refused(bench, `ADD ${server.url}/f /`);
  assert.equal(error.code, 'URL_FAILED');
  assert.match(error.hint ?? '', /nothing listens/);
});

for (const url of ['http:///x', 'https://', 'http://[::1/x', 'http://a b/x']) {
  test(`"${url}" is no URL of a file`, async () => {
    await using bench = await makeBench({});
    const error = await refused(bench, `ADD ["${url}", "/"]`);
    assert.equal(error.code, 'URL_FAILED');
    assert.match(error.message, /is no URL of a file/);
  });
}

test('TLS is checked', async () => {
  await using bench = await makeBench({});
  const [key, cert] = [join(bench.directory, 'key'), join(bench.directory, 'cert')];
  await tool('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    key,
    '-out',
    cert,
    '-days',
    '2',
    '-subj',
    '/CN=127.0.0.1',
  ]);
  await using server = await fileServer({ key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') });
  server.paths.set('/f', file(hello));
  const error = await refused(bench, `ADD ${server.url}/f /`);
  assert.match(error.hint ?? '', /NODE_EXTRA_CA_CERTS/);
});

test('what was fetched is made again where it is gone', async () => {
  await using server = await fileServer();
  await using bench = await makeBench({});
  server.paths.set('/f', versioned(hello, '"1"'));
  await added(bench, `ADD ${server.url}/f /f`);
  await rm(join(bench.root, 'http'), { recursive: true });
  assert.equal((await added(bench, `ADD ${server.url}/f /g`)).files.get('g')?.text, hello);
});
