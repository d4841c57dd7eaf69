import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type BuildOptions, build } from '../src/index.ts';
import { file, fileServer } from './support/file-server.ts';
import { makeBench } from './support/library.ts';
import { tarOf } from './support/tar.ts';

// Build contexts of every kind, by the library. What is compared with BuildKit says so; the rest is what buildx 0.36 and BuildKit 0.32.2 document.

const run = promisify(execFile);

/** A folder with a store of its own, and builds into it. */
class Rig implements AsyncDisposable {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Builds, and gives the files of the result: path → text, or the target of a symlink. */
  async files(options: Partial<BuildOptions>): Promise<Readonly<Record<string, string>>> {
    const destination = await mkdtemp(join(this.path, 'out-'));
    await build({ context: '-', root: join(this.path, 'store'), ...options, outputs: [{ type: 'local', destination }] }).result;
    const files: Record<string, string> = {};
    for (const entry of await readdir(destination, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) files[path.slice(destination.length)] = await readFile(path, 'utf8');
    }
    return files;
  }

  async write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(join(this.path, name, '..'), { recursive: true });
      await writeFile(join(this.path, name), text);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

const makeRig = async (): Promise<Rig> => new Rig(await mkdtemp(join(tmpdir(), 'cooper-contexts-')));
const stdin = (bytes: Uint8Array | string) => Readable.from([Buffer.from(bytes)]);
const copyAll = { name: 'Dockerfile', text: 'FROM scratch\nCOPY . /\n' };

const archive = await tarOf(copyAll, { name: 'd/f', text: 'f' }, { name: '.dockerignore', text: 'd\n' });
const inArchive = { '/Dockerfile': copyAll.text, '/d/f': 'f', '/.dockerignore': 'd\n' };

for (const { name, bytes } of [
  { name: 'plain', bytes: archive },
  { name: 'gzip', bytes: gzipSync(archive) },
  { name: 'zstd', bytes: zstdCompressSync(archive) },
]) {
  test(`an archive from standard input is the context: ${name}; no ignore file counts in it`, async () => {
    await using rig = await makeRig();
    assert.deepEqual(await rig.files({ stdin: stdin(bytes) }), inArchive);
  });
}

test('an archive may come in small pieces', async () => {
  await using rig = await makeRig();
  assert.deepEqual(await rig.files({ stdin: Readable.from(Array.from(archive, (byte) => Buffer.from([byte]))) }), inArchive);
});

test('a Dockerfile alone may come from standard input', async () => {
  await using rig = await makeRig();
  assert.deepEqual(await rig.files({ stdin: stdin('FROM scratch\nCOPY <<a /a\nhello\na\n') }), { '/a': 'hello\n' });
  await assert.rejects(rig.files({ stdin: stdin('FROM scratch\nCOPY a /\n') }), { code: 'COPY_SOURCE_MISSING' });
});

// Ids and modes as BuildKit keeps them: those of the archive. Tried with an archive by http, which buildx's standard input is for BuildKit too.
test('what is copied from an archive has its owner and mode', async () => {
  await using bench = await makeBench({});
  const dockerfile =
    'FROM scratch\nCOPY --chmod=755 busybox /bin/busybox\nCOPY f l /d/\nRUN ["/bin/busybox", "stat", "-c", "%n %u:%g %a", "/d/f", "/d/l"]\n';
  await bench.write({ Dockerfile: dockerfile, f: 'f' });
  const tar = join(bench.directory, 'a.tar');
  await symlink('f', join(bench.context, 'l'));
  await run('tar', ['-C', bench.context, '--owner=:12', '--group=:34', '--mode=0640', '-cf', tar, 'Dockerfile', 'busybox', 'f', 'l']);
  const { output } = await bench.built({ context: '-', stdin: stdin(await readFile(tar)) });
  assert.equal(output, '/d/f 12:34 640\n/d/l 12:34 640\n');
});

for (const { name, entries, dockerfile, want } of [
  { name: 'another name', entries: [{ name: 'x/My', text: 'FROM scratch\nCOPY x /\n' }], dockerfile: 'x/My', want: '/My' },
  { name: 'lower case', entries: [{ name: 'dockerfile', text: 'FROM scratch\nCOPY dockerfile /\n' }], want: '/dockerfile' },
  { name: 'a path from the root', entries: [{ name: 'D', text: 'FROM scratch\nCOPY D /\n' }], dockerfile: '/D', want: '/D' },
  { name: 'a path that goes up', entries: [{ name: 'D', text: 'FROM scratch\nCOPY D /\n' }], dockerfile: '../../D', want: '/D' },
  {
    name: 'a symlink within',
    entries: [
      { name: 'real', text: 'FROM scratch\nCOPY real /\n' },
      { name: 'Dockerfile', type: 'symlink', linkname: '/real' },
    ],
    want: '/real',
  },
] as const) {
  test(`the Dockerfile of an archive: ${name}`, async () => {
    await using rig = await makeRig();
    const files = await rig.files({ stdin: stdin(await tarOf(...entries)), ...(dockerfile && { dockerfile }) });
    assert.deepEqual(Object.keys(files), [want]);
  });
}

const secret = 'FROM scratch\nCOPY --from=secret / /\n';
for (const { name, bytes, code, message, hint } of [
  { name: 'nothing', bytes: Buffer.alloc(0), code: 'CONTEXT_INVALID', message: /standard input is empty/, hint: /cooper build - < FILE/ },
  {
    name: 'an empty archive',
    bytes: gzipSync(Buffer.alloc(1024)),
    code: 'CONTEXT_INVALID',
    message: /cannot be unpacked/,
    hint: /it is a tar/,
  },
  {
    name: 'no archive in gzip',
    bytes: gzipSync('FROM scratch\n'),
    code: 'CONTEXT_INVALID',
    message: /cannot be unpacked/,
    hint: /it is a tar/,
  },
  {
    name: 'a part of an archive',
    bytes: archive.subarray(0, 1200),
    code: 'CONTEXT_INVALID',
    message: /cannot be unpacked/,
    hint: /it is a tar/,
  },
  {
    name: 'a part of a gzip',
    bytes: gzipSync(archive).subarray(0, 60),
    code: 'CONTEXT_INVALID',
    message: /cannot be unpacked/,
    hint: /it is a tar/,
  },
  {
    name: 'no Dockerfile',
    bytes: await tarOf({ name: 'f', text: 'f' }),
    code: 'DOCKERFILE_MISSING',
    message: /there is no "Dockerfile" in the archive/,
    hint: /-f/,
  },
  {
    name: 'a Dockerfile of another name',
    bytes: await tarOf({ name: 'Dockerfile.prod', text: 'f' }),
    code: 'DOCKERFILE_MISSING',
    message: /there is no "Dockerfile"/,
    hint: /did you mean "Dockerfile.prod"/,
  },
  {
    name: 'a Dockerfile that leads out',
    bytes: await tarOf({ name: 'Dockerfile', type: 'symlink', linkname: '/etc/hostname' }),
    code: 'DOCKERFILE_MISSING',
    message: /there is no "Dockerfile"/,
    hint: /(?:)/,
  },
  {
    name: 'a file beyond the root',
    bytes: await tarOf({ name: '../../../../../../tmp/cooper-escaped', text: secret }, { name: 'x', text: 'x' }),
    code: 'DOCKERFILE_MISSING',
    message: /there is no "Dockerfile"/,
    hint: /(?:)/,
  },
  {
    name: 'a name longer than any filesystem takes',
    bytes: await tarOf({ name: `d/${'n'.repeat(256)}`, text: 'x' }),
    code: 'CONTEXT_INVALID',
    message: /cannot be unpacked: .*more than 255 bytes/,
    hint: /(?:)/,
  },
  {
    name: 'a file through a symlink',
    bytes: await tarOf({ name: 'l', type: 'symlink', linkname: '/tmp' }, { name: 'l/cooper-escaped', text: secret }),
    code: 'CONTEXT_INVALID',
    message: /cannot be unpacked: .*leads to no directory/,
    hint: /(?:)/,
  },
]) {
  test(`an archive is refused: ${name}`, async () => {
    await using rig = await makeRig();
    await assert.rejects(rig.files({ stdin: stdin(bytes) }), { name: 'BuildError', code, message, hint });
    await assert.rejects(stat('/tmp/cooper-escaped'), { code: 'ENOENT' });
  });
}

test('a build from an archive again takes all from the cache', async () => {
  await using bench = await makeBench({});
  const bytes = await tarOf(copyAll, { name: 'f', text: 'f' });
  const first = await bench.built({ context: '-', stdin: stdin(bytes) });
  const second = await bench.built({ context: '-', stdin: stdin(gzipSync(bytes)) });
  assert.deepEqual([second.ran, second.cached, second.result.digest], [[], ['COPY . /'], first.result.digest]);
});

for (const { name, options, message } of [
  { name: 'standard input for both', options: { context: '-', dockerfile: '-' }, message: /cannot be both/ },
  {
    name: 'two Dockerfiles',
    options: { context: '-', dockerfile: 'x', stdin: stdin('FROM scratch\n') },
    message: /is a Dockerfile, and "--file" names another/,
  },
  { name: 'no input stream', options: { context: '-' }, message: /needs an input stream/ },
  { name: 'all and some of the cache', options: { noCache: true, noCacheFilter: ['a'] }, message: /runs every stage again/ },
]) {
  test(`options that do not go together: ${name}`, async () => {
    await using rig = await makeRig();
    await assert.rejects(rig.files(options), { code: 'ARG_INVALID', message });
  });
}

test('a Dockerfile from standard input, beside a directory', async () => {
  await using rig = await makeRig();
  await rig.write({ 'c/f': 'f', 'c/g': 'g', 'c/Dockerfile.dockerignore': 'f\n', 'c/.dockerignore': 'g\n*.dockerignore\n.dockerignore\n' });
  const files = await rig.files({ context: join(rig.path, 'c'), dockerfile: '-', stdin: stdin('FROM scratch\nCOPY . /\n') });
  assert.deepEqual(files, { '/f': 'f' });
});

test('URLs: an archive, a Dockerfile alone, and a Dockerfile for a directory', async () => {
  await using rig = await makeRig();
  await using server = await fileServer();
  server.paths.set('/a.tar.gz', file(gzipSync(archive)));
  server.paths.set('/Dockerfile', file('FROM scratch\nCOPY context /itself\n'));
  server.paths.set('/other', file('FROM scratch\nCOPY f /\n'));
  assert.deepEqual(await rig.files({ context: `${server.url}/a.tar.gz` }), inArchive);
  assert.deepEqual(await rig.files({ context: `${server.url}/Dockerfile` }), { '/itself': 'FROM scratch\nCOPY context /itself\n' });
  await rig.write({ 'c/f': 'f' });
  assert.deepEqual(await rig.files({ context: join(rig.path, 'c'), dockerfile: `${server.url}/other` }), { '/f': 'f' });
  // Beside a URL as context an absolute path is one of this machine, and a relative one is within.
  await rig.write({ 'mine/Dockerfile': 'FROM scratch\nCOPY d/f /mine\n' });
  assert.deepEqual(await rig.files({ context: `${server.url}/a.tar.gz`, dockerfile: join(rig.path, 'mine/Dockerfile') }), { '/mine': 'f' });
  assert.deepEqual(await rig.files({ context: `${server.url}/a.tar.gz`, dockerfile: '-', stdin: stdin('FROM scratch\nCOPY d /\n') }), {
    '/f': 'f',
  });
  await assert.rejects(rig.files({ context: `${server.url}/a.tar.gz`, dockerfile: 'nope' }), { code: 'DOCKERFILE_MISSING' });
  await assert.rejects(rig.files({ context: `${server.url}/none` }), { code: 'URL_FAILED' });
});

test('an archive at a URL may hold a file of any name', async () => {
  await using rig = await makeRig();
  await using server = await fileServer();
  server.paths.set('/a.tar', file(await tarOf(copyAll, { name: 'context', text: 'c' })));
  assert.deepEqual(await rig.files({ context: `${server.url}/a.tar` }), { '/Dockerfile': copyAll.text, '/context': 'c' });
});

test('a directory is given from a cache that has an image, and the other way round', async () => {
  await using rig = await makeRig();
  await rig.write({ 'c/f': 'f', 'c/Dockerfile': 'FROM scratch\nCOPY f /\n' });
  const options = { context: join(rig.path, 'c'), root: join(rig.path, 'store') };
  await build(options).result;
  assert.deepEqual(await rig.files(options), { '/f': 'f' });
  const archiveFile = join(rig.path, 'image.tar');
  await rig.write({ 'c/f': 'g' });
  assert.deepEqual(await rig.files(options), { '/f': 'g' });
  await build({ ...options, outputs: [{ type: 'oci', destination: archiveFile }] }).result;
  assert.ok((await stat(archiveFile)).size > 0);
});

test('git repositories: a reference, a directory in it, and what is not there', async () => {
  await using rig = await makeRig();
  await rig.write({
    'r/Dockerfile': 'FROM scratch\nCOPY . /\n',
    'r/d/Dockerfile': 'FROM scratch\nCOPY f /\n',
    'r/d/f': 'f',
    'r/.dockerignore': 'd\n',
  });
  const git = (...args: string[]) =>
    run('git', ['-C', join(rig.path, 'r'), '-c', 'user.name=n', '-c', 'user.email=e@example.org', ...args]);
  await git('init', '-q', '-b', 'main');
  await git('add', '-A');
  await git('commit', '-q', '-m', 'one');
  await git('tag', 'v1');
  await rig.write({ 'r/d/f': 'newer' });
  await git('commit', '-q', '-am', 'two');
  await run('git', ['clone', '-q', '--bare', join(rig.path, 'r'), join(rig.path, 'srv/r.git')]);
  await run('git', ['-C', join(rig.path, 'srv/r.git'), 'update-server-info']);
  await using server = await fileServer();
  for (const entry of await readdir(join(rig.path, 'srv'), { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) {
      const bytes = await readFile(path);
      for (const query of ['', '?service=git-upload-pack'])
        server.paths.set(`${path.slice(join(rig.path, 'srv').length)}${query}`, file(bytes));
    }
  }
  const url = `${server.url}/r.git`;
  assert.deepEqual(Object.keys(await rig.files({ context: url })).toSorted(), ['/.dockerignore', '/Dockerfile', '/d/Dockerfile', '/d/f']);
  assert.deepEqual(await rig.files({ context: `${url}#v1:d` }), { '/f': 'f' });
  assert.deepEqual(await rig.files({ context: `${url}?branch=main&subdir=d` }), { '/f': 'newer' });
  assert.deepEqual(
    await rig
      .files({ context: url, dockerfile: 'd/../Dockerfile', target: '0' })
      .then(Object.keys)
      .then((names) => names.length),
    4,
  );
  assert.ok('/.git/HEAD' in (await rig.files({ context: url, buildArgs: { BUILDKIT_CONTEXT_KEEP_GIT_DIR: '1' } })));
  await assert.rejects(rig.files({ context: `${url}#v2` }), { code: 'GIT_FAILED' });
  await assert.rejects(rig.files({ context: url, dockerfile: 'dockrfile' }), { code: 'DOCKERFILE_MISSING', hint: /"Dockerfile"/ });
  const named = await rig.files({ stdin: stdin('FROM scratch\nCOPY --from=repo f /\n'), contexts: { repo: `${url}#v1:d` } });
  assert.deepEqual(named, { '/f': 'f' });
});

test('named contexts: directories with an ignore file of their own, URLs, images of a layout', async () => {
  await using rig = await makeRig();
  await using server = await fileServer();
  server.paths.set('/x', file('x'));
  await rig.write({
    'a/f': 'f',
    'a/g': 'g',
    'a/.dockerignore': 'g\n.dockerignore\n',
    'c/Dockerfile': 'FROM base\nCOPY --from=x context /x\nCOPY --from=a . /a/\n',
  });
  const dir = join(rig.path, 'a');
  const options = { context: join(rig.path, 'c'), contexts: { base: dir, a: dir, x: `${server.url}/x` } };
  assert.deepEqual(await rig.files(options), { '/f': 'f', '/a/f': 'f', '/x': 'x' });
  const archiveFile = join(rig.path, 'image.tar');
  await build({ root: join(rig.path, 'store'), ...options, tags: ['t:1', 't:2'], outputs: [{ type: 'oci', destination: archiveFile }] })
    .result;
  const layout = join(rig.path, 'layout');
  await mkdir(layout);
  await run('tar', ['-C', layout, '-xf', archiveFile]);
  const { manifests } = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as { manifests: { digest: string }[] };
  const copy = 'FROM l\nCOPY --from=m /a/f /copied\n';
  for (const where of ['', ':1', `@${manifests[0]?.digest}`, `:1@${manifests[0]?.digest}`]) {
    await using fresh = await makeRig();
    const source = `oci-layout://${layout}${where}`;
    const built = fresh.files({ stdin: stdin(copy), contexts: { l: source, m: source } });
    // Two names for one image: without a tag there is none to choose.
    if (where === '') await assert.rejects(built, { code: 'BASE_NOT_FOUND', message: /has no image "latest"/, hint: /"1", "2"/ });
    else assert.deepEqual(await built, { '/f': 'f', '/a/f': 'f', '/x': 'x', '/copied': 'f' });
  }
  for (const name of await readdir(join(layout, 'blobs/sha256'))) {
    await using fresh = await makeRig();
    const blob = join(layout, 'blobs/sha256', name);
    const good = await readFile(blob);
    await writeFile(blob, Buffer.from(good).fill('X', 3, 4));
    const broken = fresh.files({ stdin: stdin(copy), contexts: { l: `oci-layout://${layout}:1`, m: `oci-layout://${layout}:1` } });
    await assert.rejects(broken, { code: 'IMAGE_INVALID' });
    await writeFile(blob, good);
  }
  await assert.rejects(rig.files({ stdin: stdin(`FROM oci-layout://${layout}:1\n`) }), { code: 'REFERENCE_INVALID' });
});

for (const { name, source, hint } of [
  { name: 'no directory', source: '/no/such/directory', hint: /there is no such directory/ },
  { name: 'a file', source: '/etc/passwd', hint: /it is a file/ },
  { name: 'a target', source: 'target:other', hint: /bake/ },
  { name: 'a scheme that nobody knows', source: 'ftp://example.org/x', hint: /a source is/ },
]) {
  test(`a named context is refused: ${name}`, async () => {
    await using rig = await makeRig();
    await assert.rejects(rig.files({ stdin: stdin('FROM scratch\nCOPY --from=a x /\n'), contexts: { a: source } }), {
      code: 'CONTEXT_INVALID',
      hint,
    });
  });
}

test('annotations are in the manifest and where it is listed', async () => {
  await using bench = await makeBench({ Dockerfile: 'FROM scratch\nCOPY busybox /\n' });
  const destination = join(bench.directory, 'image.tar');
  const { result } = await bench.built({
    annotations: [
      { scope: 'manifest', name: 'b', value: '2' },
      { scope: 'manifest', name: 'a', value: '1' },
      { scope: 'manifest-descriptor', name: 'c', value: '3' },
    ],
    tags: ['annotated'],
    outputs: [{ type: 'oci', destination }],
  });
  await run('tar', ['-C', bench.directory, '-xf', destination]);
  const index = JSON.parse(await readFile(join(bench.directory, 'index.json'), 'utf8'));
  const manifest = JSON.parse(await readFile(join(bench.directory, 'blobs/sha256', result.digest.slice(7)), 'utf8'));
  assert.deepEqual(manifest.annotations, { a: '1', b: '2' });
  assert.equal(index.manifests[0].annotations.c, '3');
  const other = { os: 'linux', architecture: 's390x' };
  const error = await bench.fails({ annotations: [{ scope: 'manifest', platform: other, name: 'a', value: '1' }] });
  assert.equal(error.code, 'ARG_INVALID');
});

test('--no-cache-filter runs one stage again, and gives what is after it a new look', async () => {
  const dockerfile = 'FROM scratch AS a\nWORKDIR /a\nFROM scratch AS b\nWORKDIR /b\nFROM scratch\nCOPY --from=a / /\nCOPY --from=b / /\n';
  await using bench = await makeBench({ Dockerfile: dockerfile });
  await bench.built();
  const again = await bench.built({ noCacheFilter: ['A'] });
  assert.deepEqual([again.ran, again.cached.toSorted()], [['WORKDIR /a'], ['COPY --from=a / /', 'COPY --from=b / /', 'WORKDIR /b']]);
});
