// Each case of fixtures/lint as BuildKit 0.32.2 judges it (`frontend.lint`): rule, message and lines, and whether there is an error.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lint, lintCases } from '../../support/lint-fixtures.ts';

interface Expected {
  readonly warnings: readonly { readonly rule: string; readonly message: string; readonly lines: readonly [number, number] }[];
  /** In BuildKit's words; ours are others. */
  readonly error: string | null;
}

for (const { name, expected, ...input } of lintCases<Expected>('lint')) {
  test(`lint: ${name}`, async () => {
    const { warnings, error } = await lint(input);
    const found = warnings
      .filter(({ rule }) => !rule.own)
      .map(({ rule, message, lines }) => ({ rule: rule.name, message, lines: [lines.first, lines.last] }));
    assert.deepEqual(sorted(found), sorted(expected.warnings));
    assert.equal(error === undefined, expected.error === null, error?.message);
    if (expected.error?.startsWith('lint violation')) assert.deepEqual(words(error?.message ?? ''), words(expected.error));
  });
}

const words = (text: string): string[] => text.split(/[ ,]+/).toSorted();

/** BuildKit's order is by chance where one word has several variables. */
const sorted = (warnings: Expected['warnings'] | readonly object[]): string[] => warnings.map((each) => JSON.stringify(each)).toSorted();
