// Each case of fixtures/targets as BuildKit 0.32.2 answers it (`frontend.targets`), as JSON and as text.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDockerfile } from '../../grammar/parse.ts';
import { targetsText } from '../../src/cli/call-text.ts';
import { type TargetList, targetsOf } from '../../src/plan/targets.ts';
import { lintCases } from '../support/lint-fixtures.ts';

for (const { name, expected, text } of lintCases<{ readonly result: TargetList | null; readonly text: string }>('targets')) {
  test(`targets: ${name}`, () => {
    const dockerfile = parseDockerfile(text);
    assert.equal(
      dockerfile.diagnostics.some(({ severity }) => severity === 'error'),
      expected.result === null,
    );
    if (!expected.result) return;
    const list = targetsOf(dockerfile, text);
    assert.deepEqual(list, { ...expected.result, sources: [Buffer.from(text).toString('base64')] });
    assert.equal(targetsText(list), expected.text);
  });
}
