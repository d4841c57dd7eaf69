import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseVolume } from '../../../src/cli/values/volume.ts';

for (const { text, want } of [
  { text: '/srv:/data', want: { host: '/srv', target: '/data', readonly: false } },
  { text: '/srv:/data:ro', want: { host: '/srv', target: '/data', readonly: true } },
  { text: '/srv:/data:rw', want: { host: '/srv', target: '/data', readonly: false } },
  { text: './src:/data', want: { host: '/home/user/src', target: '/data', readonly: false } },
  { text: '..:/data/../x', want: { host: '/home', target: '/x', readonly: false } },
] as const) {
  test(`parseVolume: ${text}`, () => assert.deepEqual(parseVolume(text, '/home/user'), want));
}

for (const { text, code } of [
  { text: '', code: 'ARG_INVALID' },
  { text: ':/data', code: 'ARG_INVALID' },
  { text: '/srv:', code: 'ARG_INVALID' },
  { text: '/srv:data', code: 'ARG_INVALID' },
  { text: '/srv:/', code: 'ARG_INVALID' },
  { text: '/srv:/data/..', code: 'ARG_INVALID' },
  { text: '/srv:/data:rx', code: 'ARG_INVALID' },
  { text: '/srv:/data:ro:x', code: 'ARG_INVALID' },
  { text: '/srv:/da\0ta', code: 'ARG_INVALID' },
  { text: '/data', code: 'UNSUPPORTED' },
  { text: 'name:/data', code: 'UNSUPPORTED' },
] as const) {
  test(`parseVolume refuses: ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseVolume(text, '/home/user'), { name: 'BuildError', code });
  });
}
