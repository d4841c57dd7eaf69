import assert from 'node:assert/strict';
import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { makeCooper } from '../support/cooper.ts';
import { tarOf } from '../support/tar.ts';

// What people type, with the real command. All kinds of contexts by the library: test/contexts.test.ts.

test('cooper build - < Dockerfile', async () => {
  await using cooper = await makeCooper();
  const built = await cooper.built(['-'], { input: 'FROM scratch\nCOPY <<a /a\nhello\na\n' });
  assert.deepEqual(built.ran, ['COPY <<a /a']);
});

test('cooper build - < context.tar, and a Dockerfile within', async () => {
  await using cooper = await makeCooper();
  const archive = await tarOf({ name: 'x/My', text: 'FROM scratch\nCOPY x /\n' });
  assert.deepEqual((await cooper.built(['-f', 'x/My', '-'], { input: archive })).ran, ['COPY x /']);
  const missing = await cooper.run(['build', '-'], { input: archive });
  assert.equal(missing.status, 2);
  assert.match(missing.stderr, /error: there is no "Dockerfile" in the archive \[DOCKERFILE_MISSING\]/);
});

test('cooper build -f - DIRECTORY, and a -f from elsewhere', async () => {
  await using cooper = await makeCooper();
  const context = await cooper.context('c', { f: 'f' });
  assert.deepEqual((await cooper.built(['-f', '-', context], { input: 'FROM scratch\nCOPY f /\n' })).ran, ['COPY f /']);
  await cooper.context('elsewhere', { 'my.df': 'FROM scratch\nCOPY . /\n', 'my.df.dockerignore': 'f\n' });
  const out = join(cooper.directory, 'out');
  await cooper.built(['-f', 'elsewhere/my.df', '-o', `type=local,dest=${out}`, 'c']);
  await assert.rejects(readFile(join(out, 'f')), { code: 'ENOENT' });
  const wrong = await cooper.run(['build', '-f', 'f', 'elsewhere']);
  assert.match(wrong.stderr, /there is no "f" in/);
  const slip = await cooper.run(['build', '-f', 'elsewhere/mi.df', 'c']);
  assert.match(slip.stderr, /hint: did you mean "my.df"/);
});

test('--build-context with a relative directory, and one that is called like a repository', async () => {
  await using cooper = await makeCooper();
  await cooper.context('c', { Dockerfile: 'FROM scratch\nCOPY --from=assets a /\nCOPY --from=alpine:latest a /b\n' });
  await cooper.context('github.com/x', { a: 'a' });
  const built = await cooper.built([
    '--build-context',
    'assets=github.com/x',
    '--build-context',
    'docker.io/library/alpine=./github.com/x',
    'c',
  ]);
  assert.deepEqual(built.ran.toSorted(), ['COPY --from=alpine:latest a /b', 'COPY --from=assets a /']);
  const own = await cooper.context('github.com/own', { Dockerfile: 'FROM scratch\nCOPY . /\n' });
  assert.ok(own.endsWith('github.com/own'));
  await cooper.built(['github.com/own']);
});

test('--add-host, in the /etc/hosts of a RUN and in its key', async () => {
  await using cooper = await makeCooper();
  const context = await cooper.context('c', {
    Dockerfile: 'FROM scratch\nCOPY busybox /busybox\nRUN ["/busybox", "grep", "-w", "db", "/etc/hosts"]\n',
  });
  await cp('/bin/busybox', join(context, 'busybox'));
  const outputOf = ({ events }: Awaited<ReturnType<typeof cooper.built>>) =>
    events.map((event) => (event.type === 'vertex.output' ? event.text : '')).join('');
  const first = await cooper.built(['--add-host', 'db:10.0.0.5', '--add-host', 'db=[::1]', context]);
  assert.deepEqual(outputOf(first).trim().split('\n'), ['10.0.0.5\tdb', '::1\tdb']);
  const same = await cooper.built(['--add-host', 'db:10.0.0.5', '--add-host', 'db=[::1]', context]);
  assert.equal(same.ran.length, 0);
  const other = await cooper.built(['--add-host', 'db:10.0.0.6', context]);
  assert.deepEqual(outputOf(other).trim().split('\n'), ['10.0.0.6\tdb']);
});

for (const { name, args, input = '', status, error, hint } of [
  {
    name: 'both from standard input',
    args: ['-f', '-', '-'],
    status: 2,
    error: /cannot be both/,
    hint: /put the Dockerfile into the archive/,
  },
  {
    name: 'a Dockerfile twice',
    args: ['-f', 'x', '-'],
    input: 'FROM scratch\n',
    status: 2,
    error: /names another one/,
    hint: /leave out "--file"/,
  },
  { name: 'nothing', args: ['-'], status: 2, error: /standard input is empty/, hint: /< FILE/ },
  { name: 'a broken archive', args: ['-'], input: gzipSync('x'), status: 2, error: /cannot be unpacked/, hint: /it is a tar/ },
  { name: 'no directory', args: ['nope'], status: 2, error: /"\/.*\/nope" is not there/, hint: /the last argument/ },
  {
    name: 'no cache in two ways',
    args: ['--no-cache', '--no-cache-filter', 'a', '-'],
    input: 'FROM scratch\n',
    status: 2,
    error: /runs every stage again/,
    hint: /use one/,
  },
  { name: 'host-gateway', args: ['--add-host', 'h:host-gateway', '.'], status: 1, error: /there is no daemon/, hint: /--network host/ },
  { name: 'an annotation of an index', args: ['--annotation', 'index:a=b', '.'], status: 1, error: /has none/, hint: /"manifest"/ },
]) {
  test(`cooper build refuses: ${name}`, async () => {
    await using cooper = await makeCooper();
    const ended = await cooper.run(['build', ...args], { input });
    assert.equal(ended.status, status, ended.stderr);
    assert.match(ended.stderr, error);
    assert.match(ended.stderr, hint);
  });
}

test('a context of somebody else shows no other file of this machine', async () => {
  await using cooper = await makeCooper();
  const context = await cooper.context('c', { 'sub/x': 'x' });
  await cooper.context('private', { secret: 'FROM secret-word\n' });
  await symlink(join(cooper.directory, 'private/secret'), join(context, 'Dockerfile'));
  await mkdir(join(context, 'dir'));
  await symlink('../../private/secret', join(context, 'dir/.dockerignore'));
  const ended = await cooper.run(['build', context]);
  assert.equal(ended.status, 2);
  assert.match(ended.stderr, /is a symlink that leads out of/);
  assert.doesNotMatch(ended.stderr, /secret-word/);
});
