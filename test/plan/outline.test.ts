// Each case of fixtures/outline as BuildKit 0.32.2 answers it (`frontend.outline`), as JSON and as text.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outlineText } from '../../src/cli/call-text.ts';
import { BuildError } from '../../src/diagnostics/build-error.ts';
import { type Outline, outlineOf } from '../../src/plan/outline.ts';
import { lintCases, lower } from '../support/lint-fixtures.ts';

for (const { name, expected, ...input } of lintCases<{ readonly result: Outline | null; readonly text: string }>('outline')) {
  test(`outline: ${name}`, async () => {
    if (!expected.result) return assert.rejects(lower(input), BuildError);
    const outline = outlineOf(await lower(input), input.text);
    assert.deepEqual(outline, { ...expected.result, sources: [Buffer.from(input.text).toString('base64')] });
    assert.equal(outlineText(outline), expected.text);
  });
}
