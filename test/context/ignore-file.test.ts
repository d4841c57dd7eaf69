import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadIgnoreRules, parseIgnoreFile } from '../../src/context/ignore-file.ts';
import { BuildError } from '../../src/diagnostics/build-error.ts';

// Wanted values: Docker's documentation of .dockerignore, and the cases of moby/patternmatcher's ignorefile_test.go.
for (const { name, text, want } of [
  { name: 'nothing is no rule', text: '', want: [] },
  { name: 'one pattern', text: 'node_modules\n', want: [['node_modules', false, 1]] },
  { name: 'a byte order mark is dropped', text: '\uFEFFa\n', want: [['a', false, 1]] },
  { name: '# in the first column is a comment', text: '# note\na\n', want: [['a', false, 2]] },
  { name: '# after a space is a pattern', text: ' #a\n', want: [['#a', false, 1]] },
  {
    name: 'spaces around are dropped',
    text: '  a b  \n\n\t\nc',
    want: [
      ['a b', false, 1],
      ['c', false, 4],
    ],
  },
  {
    name: 'carriage returns are dropped',
    text: 'a\r\nb\r\n',
    want: [
      ['a', false, 1],
      ['b', false, 2],
    ],
  },
  { name: 'a leading slash is dropped', text: '/a/b\n', want: [['a/b', false, 1]] },
  { name: 'a pattern is cleaned', text: './a//b/../c/\n', want: [['a/c', false, 1]] },
  {
    name: '! negates',
    text: '*\n!keep\n',
    want: [
      ['*', false, 1],
      ['keep', true, 2],
    ],
  },
  { name: 'spaces after ! are dropped', text: '!  /keep/  \n', want: [['keep', true, 1]] },
  { name: 'wildcards stay', text: '**/*.[ch]\n', want: [['**/*.[ch]', false, 1]] },
  {
    name: 'the last line needs no line break',
    text: 'a\nb',
    want: [
      ['a', false, 1],
      ['b', false, 2],
    ],
  },
] as const) {
  test(`parseIgnoreFile: ${name}`, () => {
    assert.deepEqual(
      parseIgnoreFile(text),
      want.map(([pattern, negated, line]) => ({ pattern, negated, line })),
    );
  });
}

for (const text of ['a\n!\n', 'a\n  !  \nb\n', 'ä\r\n!\r\n']) {
  test(`parseIgnoreFile: ${JSON.stringify(text)} fails on its second line`, () => {
    assert.throws(
      () => parseIgnoreFile(text),
      (error) => error instanceof BuildError && error.code === 'DOCKERFILE_INVALID' && error.range?.start.line === 2,
    );
  });
}

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cooper-ignore-'));
});
after(() => rm(folder, { recursive: true }));

test('loadIgnoreRules: no file, then .dockerignore, then the one of the Dockerfile instead', async () => {
  const dockerfile = join(folder, 'app.Dockerfile');
  assert.deepEqual(await loadIgnoreRules(folder, dockerfile), { rules: [], file: undefined, text: undefined });
  await writeFile(join(folder, '.dockerignore'), 'general\n');
  assert.deepEqual(await loadIgnoreRules(folder, dockerfile), {
    rules: [{ pattern: 'general', negated: false, line: 1 }],
    file: join(folder, '.dockerignore'),
    text: 'general\n',
  });
  await writeFile(`${dockerfile}.dockerignore`, 'special\n');
  assert.deepEqual(await loadIgnoreRules(folder, dockerfile), {
    rules: [{ pattern: 'special', negated: false, line: 1 }],
    file: `${dockerfile}.dockerignore`,
    text: 'special\n',
  });
});

test('loadIgnoreRules: a directory of that name is an error', async () => {
  const inner = await mkdtemp(join(folder, 'inner-'));
  await mkdir(join(inner, '.dockerignore'));
  await assert.rejects(
    loadIgnoreRules(inner, join(inner, 'Dockerfile')),
    (error) => error instanceof BuildError && error.code === 'CONTEXT_INVALID',
  );
});
