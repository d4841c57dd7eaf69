import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDevice } from '../../../src/cli/values/device.ts';

for (const { text, want } of [
  { text: '/dev/kvm', want: { hostPath: '/dev/kvm', path: '/dev/kvm' } },
  { text: '/dev/a:/dev/b', want: { hostPath: '/dev/a', path: '/dev/b' } },
  { text: '/dev/a:rwm', want: { hostPath: '/dev/a', path: '/dev/a' } },
  { text: '/dev/a:/dev/x/../b:rw', want: { hostPath: '/dev/a', path: '/dev/b' } },
  { text: 'vendor.com/class=name', want: { name: 'vendor.com/class=name' } },
] as const) {
  test(`--device ${text}`, () => assert.deepEqual(parseDevice(text), want));
}

for (const { text, code } of [
  { text: '', code: 'ARG_INVALID' },
  { text: 'kvm', code: 'ARG_INVALID' },
  { text: '/', code: 'ARG_INVALID' },
  { text: '/dev/a:b', code: 'ARG_INVALID' },
  { text: '/dev/a:/dev/b:x', code: 'ARG_INVALID' },
  { text: '/dev/a:/dev/b:rw:m', code: 'ARG_INVALID' },
  { text: '/dev/a\0', code: 'ARG_INVALID' },
  { text: '/dev/a:r', code: 'UNSUPPORTED' },
  { text: '/dev/a:/dev/b:wm', code: 'UNSUPPORTED' },
] as const) {
  test(`--device refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseDevice(text), { name: 'BuildError', code }));
}
