import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseIgnoreFile } from '../../src/context/ignore-file.ts';

interface Case {
  readonly text: string;
  readonly rules: readonly { readonly pattern: string; readonly negated: boolean }[];
  readonly error?: string;
}

// fixtures/ignore/README.md says where they are from. What the rules match is tested where they are matched: native/src/tree/ignore.rs.
const cases = readFileSync(join(import.meta.dirname, '../../fixtures/ignore/cases.jsonl'), 'utf8')
  .split('\n')
  .filter(Boolean)
  .map((line) => JSON.parse(line) as Case);

test('there are many', () => assert.ok(cases.length >= 300));

for (const { text, rules, error } of cases) {
  test(`an ignore file is read as by moby: ${JSON.stringify(text)}`, () => {
    if (error !== undefined) {
      assert.throws(() => parseIgnoreFile(text), { name: 'BuildError', code: 'DOCKERFILE_INVALID' }, error);
      return;
    }
    assert.deepEqual(
      parseIgnoreFile(text).map(({ pattern, negated }) => ({ pattern, negated })),
      rules,
    );
  });
}

// Source: Go, bufio.Scanner: a line and its end fit into 64 KiB, or it is an error.
for (const { length, fits } of [
  { length: 65535, fits: true },
  { length: 65536, fits: false },
]) {
  test(`a line of ${length} bytes is ${fits ? 'read' : 'refused'}`, () => {
    const read = () => parseIgnoreFile(`${'a'.repeat(length)}\n`).length;
    if (fits) assert.equal(read(), 1);
    else assert.throws(read, { code: 'DOCKERFILE_INVALID' });
  });
}

test('a long line of a pattern takes time in proportion to its length', () => {
  const texts = ['[a'.repeat(30000), '[a-'.repeat(20000), '\\'.repeat(60001), '*'.repeat(60000)];
  for (const text of texts) {
    try {
      parseIgnoreFile(text);
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'DOCKERFILE_INVALID');
    }
  }
});
