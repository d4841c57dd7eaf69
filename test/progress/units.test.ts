import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAge, formatBytes } from '../../src/progress/units.ts';

for (const { bytes, want } of [
  { bytes: 0, want: '0B' },
  { bytes: 999, want: '999B' },
  { bytes: 1000, want: '1kB' },
  { bytes: 1_234_567, want: '1.23MB' },
  { bytes: 123_456_789, want: '123MB' },
  { bytes: 999_900, want: '1MB' },
  { bytes: 2_500_000_000, want: '2.5GB' },
] as const) {
  test(`formatBytes: ${bytes} is ${want}`, () => assert.equal(formatBytes(bytes), want));
}

for (const { milliseconds, want } of [
  { milliseconds: 0, want: '0.000' },
  { milliseconds: 9999, want: '9.999' },
  { milliseconds: 12_344, want: '12.34' },
  { milliseconds: 125_430, want: '125.4' },
  { milliseconds: -5, want: '0.000' },
] as const) {
  test(`formatAge: ${milliseconds} ms is ${want}`, () => assert.equal(formatAge(milliseconds), want));
}
