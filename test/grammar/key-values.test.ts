import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitKeyValue } from '../../grammar/key-values.ts';

for (const [word, want] of [
  ['a=b', { name: 'a', value: 'b' }],
  ['a=', { name: 'a', value: '' }],
  ['a=b=c', { name: 'a', value: 'b=c' }],
  ['"a b"="c d"', { name: '"a b"', value: '"c d"' }],
  ['a', undefined],
] as const) {
  test(`splitKeyValue: ${word}`, () => assert.deepEqual(splitKeyValue(word), want));
}
