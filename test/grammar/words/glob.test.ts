// The oracle is the regular expression that BuildKit makes of a pattern: ".*" or ".*?" for a star, "." for a question mark.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Glob, parseGlob, parseSuffixGlob, replaceAll, replaceFirst, trimPrefix, trimSuffix } from '../../../grammar/words/glob.ts';

const VALUES = strings('ab\n', 5);
const PATTERNS = strings('ab*?', 4);

function strings(alphabet: string, longest: number): string[] {
  const all = [''];
  for (let from = 0, length = 0; length < longest; length++) {
    const to = all.length;
    for (; from < to; from++) for (const letter of alphabet) all.push(all[from] + letter);
  }
  return all;
}

function glob(pattern: string, parse = parseGlob): Glob {
  const parsed = parse(pattern);
  assert.ok(typeof parsed !== 'string');
  return parsed;
}

function regexp(pattern: string, star: string): string {
  return pattern.replaceAll('?', '.').replaceAll('*', star);
}

const reversed = (text: string) => [...text].reverse().join('');

test('trimPrefix and trimSuffix: as the regular expression', () => {
  for (const pattern of PATTERNS) {
    const parsed = glob(pattern);
    const backwards = glob(pattern, parseSuffixGlob);
    for (const [which, star] of [
      ['shortest', '.*?'],
      ['longest', '.*'],
    ] as const) {
      const prefix = new RegExp(`^${regexp(pattern, star)}`);
      const suffix = new RegExp(`^${regexp(reversed(pattern), star)}`);
      for (const value of VALUES) {
        assert.equal(trimPrefix(value, parsed, which), value.replace(prefix, ''), JSON.stringify([which, pattern, value]));
        const want = reversed(reversed(value).replace(suffix, ''));
        assert.equal(trimSuffix(value, backwards, which), want, JSON.stringify([which, pattern, value]));
      }
    }
  }
});

test('replaceFirst and replaceAll: as the regular expression', () => {
  for (const pattern of PATTERNS) {
    const parsed = glob(pattern);
    const first = new RegExp(regexp(pattern, '.*'));
    const all = new RegExp(first, 'g');
    for (const value of VALUES) {
      assert.equal(replaceFirst(value, parsed, '<>'), value.replace(first, '<>'), JSON.stringify([pattern, value]));
      // JavaScript and Go differ about empty matches behind others; expand.test.ts has rows for Go's way.
      if (first.test('')) continue;
      assert.equal(
        replaceAll(value, parsed, (match) => `<${match}>`, 1000),
        value.replace(all, '<$&>'),
        JSON.stringify([pattern, value]),
      );
    }
  }
});
