import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUsageFilter } from '../../../src/cli/values/filter.ts';
import { parseUsageFormat } from '../../../src/cli/values/usage-format.ts';
import { withCode } from '../../support/errors.ts';

const now = 1_000_000_000_000;

for (const [text, want] of [
  ['type=exec.cachemount', { type: 'exec.cachemount' }],
  ['id=/root/.cache', { id: '/root/.cache' }],
  ['id=a=b', { id: 'a=b' }],
  ['until=24h', { untilMs: now - 86_400_000 }],
  ['until=1h30m', { untilMs: now - 5_400_000 }],
  ['until=1.5s', { untilMs: now - 1500 }],
  ['until=250ms', { untilMs: now - 250 }],
  ['until=1970-01-02T00:00:00Z', { untilMs: 86_400_000 }],
] as const) {
  test(`--filter ${text}`, () => assert.deepEqual(parseUsageFilter(text, now), want));
}

for (const text of [
  '',
  'type',
  'type=',
  '=x',
  'type=cachemount',
  'until=soon',
  'until=5x',
  'until=7',
  'until=yesterday 3',
  'inuse=true',
  'label=x',
]) {
  test(`--filter "${text}" is refused`, () => assert.throws(() => parseUsageFilter(text, now), withCode('ARG_INVALID')));
}

test('--format takes json, and no template', () => {
  assert.deepEqual([parseUsageFormat('json'), parseUsageFormat('table')], [true, false]);
  assert.throws(() => parseUsageFormat('{{.ID}}'), withCode('UNSUPPORTED'));
});
