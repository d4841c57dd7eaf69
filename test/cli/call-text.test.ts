// The text of a check beside BuildKit's: what it prints of the same warnings (`result.txt` of `frontend.lint`), below buildx' first line.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkText } from '../../src/cli/call-text.ts';
import { lintResult } from '../../src/plan/lint/lint-result.ts';
import { lint, lintCases } from '../support/lint-fixtures.ts';

for (const { name, checkText: wanted, ...input } of lintCases('lint')) {
  if (wanted === undefined) continue;
  test(`the text of a check: ${name}`, async () => {
    const { warnings, error } = await lint(input);
    const source = { path: undefined, file: 'Dockerfile', text: input.text };
    const text = checkText({ warnings, source, error, result: lintResult(source, warnings, error) });
    const count = warnings.length === 1 ? '1 warning has' : `${warnings.length} warnings have`;
    assert.equal(text, `Check complete, ${count} been found!\n${wanted}`);
  });
}

test('the text of a check that finds nothing', () => {
  const source = { path: undefined, file: 'Dockerfile', text: 'FROM scratch\n' };
  assert.equal(
    checkText({ warnings: [], source, error: undefined, result: lintResult(source, [], undefined) }),
    'Check complete, no warnings found.\n',
  );
});
