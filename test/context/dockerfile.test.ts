import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { dockerfileFromStream, maxDockerfileBytes, readDockerfile } from '../../src/context/dockerfile.ts';
import { loadIgnoreRules } from '../../src/context/ignore-file.ts';
import { BuildError } from '../../src/diagnostics/build-error.ts';
import { temporaryFolder } from '../support/store.ts';

interface Row {
  readonly name: string;
  /** By path; a text that begins with `-> ` is a symlink. */
  readonly files: Readonly<Record<string, string>>;
  /** Below the folder. */
  readonly dockerfile: string;
  /** The text that is read, or what the error says. */
  readonly want: string | { readonly message: RegExp; readonly hint: RegExp };
}

// Whether a symlink is followed was tried with BuildKit 0.32.2: it is, within the directory that the Dockerfile lies in.
const rows: readonly Row[] = [
  { name: 'the file', files: { 'c/Dockerfile': 'a' }, dockerfile: 'c/Dockerfile', want: 'a' },
  { name: 'lower case stands in', files: { 'c/dockerfile': 'a' }, dockerfile: 'c/Dockerfile', want: 'a' },
  { name: 'in any directory', files: { 'x/dockerfile': 'a' }, dockerfile: 'x/Dockerfile', want: 'a' },
  { name: 'but not first', files: { 'c/Dockerfile': 'a', 'c/dockerfile': 'b' }, dockerfile: 'c/Dockerfile', want: 'a' },
  { name: 'a symlink beside it', files: { 'c/real': 'a', 'c/Dockerfile': '-> real' }, dockerfile: 'c/Dockerfile', want: 'a' },
  {
    name: 'an absolute one, from the root of its directory',
    files: { 'c/d/real': 'a', 'c/x': '-> /d/real' },
    dockerfile: 'c/x',
    want: 'a',
  },
  { name: 'one that goes up is held', files: { 'c/real': 'a', real: 'b', 'c/x': '-> ../../real' }, dockerfile: 'c/x', want: 'a' },
  { name: 'through a directory that is one', files: { 'c/d/real': 'a', 'c/l': '-> d', 'c/x': '-> l/real' }, dockerfile: 'c/x', want: 'a' },
  {
    name: 'a symlink that leads out',
    files: { 'out/real': 'a', 'c/Dockerfile': '-> ../out/real' },
    dockerfile: 'c/Dockerfile',
    want: { message: /is a symlink that leads out of/, hint: /name the file itself/ },
  },
  {
    name: 'a symlink to itself',
    files: { 'c/x': '-> x' },
    dockerfile: 'c/x',
    want: { message: /cannot be read: ELOOP/, hint: /(?:)/ },
  },
  { name: 'a directory', files: { 'c/x/y': 'a' }, dockerfile: 'c/x', want: { message: /cannot be read: EISDIR/, hint: /(?:)/ } },
  {
    name: 'nothing at all',
    files: { 'c/a': '' },
    dockerfile: 'c/Dockerfile',
    want: { message: /there is no "Dockerfile"/, hint: /name another file with -f/ },
  },
  {
    name: 'a slip',
    files: { 'c/Dockerfile': '' },
    dockerfile: 'c/Dokcerfile',
    want: { message: /no "Dokcerfile"/, hint: /did you mean "Dockerfile"/ },
  },
  {
    name: 'one with an ending',
    files: { 'c/Dockerfile.dev': '', 'c/Dockerfile.dev.dockerignore': '' },
    dockerfile: 'c/Dockerfile',
    want: { message: /no "Dockerfile"/, hint: /did you mean "Dockerfile.dev"/ },
  },
  {
    name: 'one with a beginning',
    files: { 'c/app.Dockerfile': '' },
    dockerfile: 'c/Dockerfile',
    want: { message: /no "Dockerfile"/, hint: /"app.Dockerfile"/ },
  },
  {
    name: 'a Containerfile',
    files: { 'c/Containerfile': '' },
    dockerfile: 'c/Dockerfile',
    want: { message: /no "Dockerfile"/, hint: /-f Containerfile/ },
  },
  {
    name: 'one that lies in the context',
    files: { 'c/prod.df': '', 'e/x': '' },
    dockerfile: 'e/prod.df',
    want: { message: /no "prod.df" in ".*\/e"/, hint: /relative to where you are: build with -f .*\/c\/prod.df/ },
  },
];

for (const { name, files, dockerfile, want } of rows) {
  test(`which Dockerfile is read: ${name}`, async () => {
    await using folder = await temporaryFolder();
    for (const [file, text] of Object.entries(files)) {
      const path = join(folder.path, file);
      await mkdir(dirname(path), { recursive: true });
      await (text.startsWith('-> ') ? symlink(text.slice(3), path) : writeFile(path, text));
    }
    const reading = readDockerfile(join(folder.path, dockerfile), join(folder.path, 'c'));
    if (typeof want === 'string') return assert.equal((await reading).text, want);
    await assert.rejects(reading, (error) => {
      assert.ok(error instanceof BuildError, String(error));
      assert.equal(error.code, 'DOCKERFILE_MISSING');
      assert.match(error.message, want.message);
      assert.match(error.hint ?? '', want.hint);
      return true;
    });
  });
}

// A read of such a pipe never ends, and nothing that waits for it can be interrupted.
for (const name of ['Dockerfile', '.dockerignore', 'Dockerfile.dockerignore']) {
  test(`a pipe in the context is not read: ${name}`, { timeout: 20_000 }, async () => {
    await using folder = await temporaryFolder();
    await promisify(execFile)('mkfifo', [join(folder.path, name)]);
    const dockerfile = join(folder.path, 'Dockerfile');
    const reading = name === 'Dockerfile' ? readDockerfile(dockerfile, folder.path) : loadIgnoreRules(folder.path, dockerfile);
    await assert.rejects(reading, { name: 'BuildError', message: /cannot be read: it is a pipe or a device/ });
  });
}

test('a Dockerfile from a stream is read to its end, and no further than there is room', async () => {
  const { text, path } = await dockerfileFromStream(
    Readable.from([Buffer.from('FROM '), Buffer.from('é').subarray(0, 1), Buffer.from('é').subarray(1)]),
  );
  assert.deepEqual({ text, path }, { text: 'FROM é', path: undefined });
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) yield Buffer.alloc(1024 * 1024);
  }
  await assert.rejects(dockerfileFromStream(endless()), { code: 'DOCKERFILE_INVALID', message: new RegExp(String(maxDockerfileBytes)) });
});

// Source: BuildKit 0.32.2, frontend/dockerui: `<Dockerfile>.dockerignore` beside the Dockerfile replaces the one of the context.
for (const { name, files, dockerfile, want } of [
  { name: 'none', files: {}, dockerfile: 'c/Dockerfile', want: [] },
  { name: 'of the context', files: { 'c/.dockerignore': 'a' }, dockerfile: 'c/Dockerfile', want: ['a'] },
  {
    name: 'of the Dockerfile',
    files: { 'c/.dockerignore': 'a', 'c/Dockerfile.dockerignore': 'b' },
    dockerfile: 'c/Dockerfile',
    want: ['b'],
  },
  { name: 'an empty one replaces it too', files: { 'c/.dockerignore': 'a', 'c/x.dockerignore': '' }, dockerfile: 'c/x', want: [] },
  {
    name: 'of a Dockerfile elsewhere',
    files: { 'c/.dockerignore': 'a', 'd/x.dockerignore': 'b', 'd/.dockerignore': 'c' },
    dockerfile: 'd/x',
    want: ['b'],
  },
  { name: 'not the other one of where it lies', files: { 'd/.dockerignore': 'c' }, dockerfile: 'd/x', want: [] },
  {
    name: 'a Dockerfile that is no file',
    files: { 'c/.dockerignore': 'a', 'c/Dockerfile.dockerignore': 'b' },
    dockerfile: undefined,
    want: ['a'],
  },
  { name: 'a symlink within the context', files: { 'c/i': 'a', 'c/.dockerignore': '-> i' }, dockerfile: 'c/Dockerfile', want: ['a'] },
  { name: 'a symlink that leads out is none', files: { i: 'a', 'c/.dockerignore': '-> ../i' }, dockerfile: 'c/Dockerfile', want: [] },
] as const) {
  test(`which ignore file counts: ${name}`, async () => {
    await using folder = await temporaryFolder();
    await mkdir(join(folder.path, 'c'));
    for (const [file, text] of Object.entries<string>(files)) {
      const path = join(folder.path, file);
      await mkdir(dirname(path), { recursive: true });
      await (text.startsWith('-> ') ? symlink(text.slice(3), path) : writeFile(path, text));
    }
    const { rules } = await loadIgnoreRules(join(folder.path, 'c'), dockerfile && join(folder.path, dockerfile));
    assert.deepEqual(
      rules.map(({ pattern }) => pattern),
      want,
    );
  });
}
