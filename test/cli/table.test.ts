import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAgo, formatTable } from '../../src/cli/table.ts';

test('formatTable: columns are as wide as their widest cell, control characters are shown', () => {
  const text = formatTable([
    ['NAME', 'SIZE', 'NOTE'],
    ['a-long-name', '1B', ''],
    ['b', '10MB', 'x\u001b[2J\ny'],
  ]);
  assert.equal(text, 'NAME          SIZE   NOTE\na-long-name   1B\nb             10MB   x␛[2J y\n');
});

const now = Date.parse('2024-06-15T12:00:00Z');
for (const { time, want } of [
  { time: '2024-06-15T12:00:00Z', want: '0 seconds ago' },
  { time: '2024-06-15T11:59:59Z', want: '1 second ago' },
  { time: '2024-06-15T11:58:01Z', want: '119 seconds ago' },
  { time: '2024-06-15T11:57:00Z', want: '3 minutes ago' },
  { time: '2024-06-15T09:30:00Z', want: '2 hours ago' },
  { time: '2024-06-12T12:00:00Z', want: '3 days ago' },
  { time: '2024-05-15T12:00:00Z', want: '4 weeks ago' },
  { time: '2023-12-15T12:00:00Z', want: '6 months ago' },
  { time: '2020-06-15T12:00:00Z', want: '4 years ago' },
  { time: '2030-01-01T00:00:00Z', want: '0 seconds ago' },
  { time: 'yesterday', want: '-' },
  { time: undefined, want: '-' },
]) {
  test(`formatAgo: ${time} is ${want}`, () => assert.equal(formatAgo(time, now), want));
}
