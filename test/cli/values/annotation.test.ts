import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAnnotation } from '../../../src/cli/values/annotation.ts';

const amd64 = { os: 'linux', architecture: 'amd64' };

// Source: buildx 0.36, util/buildflags, `ParseAnnotations`.
for (const { text, want } of [
  { text: 'a=b', want: [{ scope: 'manifest', name: 'a', value: 'b' }] },
  { text: 'a=', want: [{ scope: 'manifest', name: 'a', value: '' }] },
  { text: 'a=b:c=d', want: [{ scope: 'manifest', name: 'a', value: 'b:c=d' }] },
  { text: 'manifest:a=b', want: [{ scope: 'manifest', name: 'a', value: 'b' }] },
  { text: 'manifest:a:b=c', want: [{ scope: 'manifest', name: 'a:b', value: 'c' }] },
  { text: 'manifest-descriptor:a=b', want: [{ scope: 'manifest-descriptor', name: 'a', value: 'b' }] },
  { text: 'manifest[linux/amd64]:a=b', want: [{ scope: 'manifest', platform: amd64, name: 'a', value: 'b' }] },
  {
    text: 'manifest,manifest-descriptor[linux/amd64]:a=b',
    want: [
      { scope: 'manifest', name: 'a', value: 'b' },
      { scope: 'manifest-descriptor', platform: amd64, name: 'a', value: 'b' },
    ],
  },
] as const) {
  test(`--annotation ${text}`, () => assert.deepEqual(parseAnnotation(text), want));
}

for (const { text, code, message, hint } of [
  { text: 'a', code: 'ARG_INVALID', message: /has no value/, hint: /NAME=VALUE/ },
  { text: '=b', code: 'ARG_INVALID', message: /has no name/, hint: /NAME=VALUE/ },
  { text: 'manifest:=b', code: 'ARG_INVALID', message: /has no name/, hint: /NAME=VALUE/ },
  { text: 'manifst:a=b', code: 'ARG_INVALID', message: /unknown scope "manifst"/, hint: /"manifest"/ },
  { text: 'org.x:a=b', code: 'ARG_INVALID', message: /not well formed/, hint: /a scope is/ },
  { text: 'manifest[]:a=b', code: 'ARG_INVALID', message: /not well formed/, hint: /a scope is/ },
  { text: 'manifest[no/such/one/x]:a=b', code: 'ARG_INVALID', message: /no\/such/, hint: /(?:)/ },
  { text: 'index:a=b', code: 'UNSUPPORTED', message: /is for an index/, hint: /use the scope "manifest"/ },
  { text: 'manifest,index-descriptor:a=b', code: 'UNSUPPORTED', message: /is for an index/, hint: /use the scope "manifest"/ },
] as const) {
  test(`--annotation refuses ${text}`, () => {
    assert.throws(() => parseAnnotation(text), { name: 'BuildError', code, message, hint });
  });
}
