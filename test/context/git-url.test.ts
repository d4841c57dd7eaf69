import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { cleanSubdir, type GitUrl, isCommit, parseGitUrl } from '../../src/context/git-url.ts';

/** What BuildKit 0.32.2's own `dfgitutil.ParseGitRef` says of each text. `other` is no repository, `invalid` one with wrong options. */
const rows = JSON.parse(readFileSync('fixtures/remote/git-urls.json', 'utf8')) as {
  text: string;
  want: 'other' | 'invalid' | Partial<GitUrl>;
}[];

const defaults = { ref: '', subdir: '', checksum: '', looksLocal: false, unencrypted: false, fetchByCommit: false };

for (const { text, want } of rows) {
  test(`${JSON.stringify(text.slice(0, 100))} is what BuildKit takes it for`, () => {
    const parsed = parseGitUrl(text);
    if (want === 'other') assert.equal(parsed, undefined);
    else if (want === 'invalid') assert.notEqual(parsed?.problem, undefined);
    else assert.deepEqual(parsed?.url, { ...defaults, ...want });
  });
}

test('two commits that differ are refused, where BuildKit takes one by chance', () => {
  assert.match(parseGitUrl('https://a/b.git?checksum=1&commit=2')?.problem ?? '', /"1" and "2"/);
});

for (const [text, want] of [
  ['', ''],
  ['.', ''],
  ['/', ''],
  ['..', ''],
  ['../../a', 'a'],
  ['a/../b', 'b'],
  ['/a//b/./c/', 'a/b/c'],
  ['a/../../b', 'b'],
] as const) {
  test(`the directory "${text}" is "${want}"`, () => assert.equal(cleanSubdir(text), want));
}

for (const [text, want] of [
  ['a'.repeat(40), true],
  ['0'.repeat(64), true],
  ['a'.repeat(39), false],
  ['a'.repeat(41), false],
  ['A'.repeat(40), false],
  ['g'.repeat(40), false],
  ['', false],
] as const) {
  test(`"${text}" is ${want ? 'a' : 'no'} commit`, () => assert.equal(isCommit(text), want));
}

test('hostile texts are read in linear time', () => {
  for (const mark of ['?', '#', '@', '&', '%', ':', '/', '../', '=']) {
    const many = mark.repeat(1e6);
    assert.equal(parseGitUrl(`git@host:${many}\n`), undefined, mark);
    assert.equal(parseGitUrl(`https://host/${many}`)?.url, undefined, mark);
    parseGitUrl(`https://host/b.git?${many}`);
    parseGitUrl(`https://host/b.git#${many}`);
  }
});
