import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFields } from '../../../src/cli/values/fields.ts';

// The second column is what Python's csv.reader makes of the text.
for (const { text, want } of [
  { text: 'a=1', want: [['a', '1']] },
  {
    text: 'a=1,b',
    want: [
      ['a', '1'],
      ['b', undefined],
    ],
  },
  {
    text: 'a=,b=x=y',
    want: [
      ['a', ''],
      ['b', 'x=y'],
    ],
  },
  {
    text: '"a=1,2",b=3',
    want: [
      ['a', '1,2'],
      ['b', '3'],
    ],
  },
  {
    text: '"a=""q""",b',
    want: [
      ['a', '"q"'],
      ['b', undefined],
    ],
  },
  { text: 'A=Keep', want: [['a', 'Keep']] },
] as const) {
  test(`parseFields: ${text}`, () => assert.deepEqual([...parseFields(text, '--x')], want));
}

for (const text of ['', 'a=1,', ',a=1', 'a=1,a=2', '"a=1', '"a=1"x', '=1']) {
  test(`parseFields refuses: ${text || 'nothing'}`, () => assert.throws(() => parseFields(text, '--x'), { code: 'ARG_INVALID' }));
}

test('parseFields: a long text with an open quote is refused at once', () => {
  assert.throws(() => parseFields(`"${'""'.repeat(200_000)}`, '--x'), { code: 'ARG_INVALID' });
});
