import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCacheFrom, parseCacheTo } from '../../../src/cli/values/cache.ts';
import type { ErrorCode } from '../../../src/diagnostics/codes.ts';
import { withCode } from '../../support/errors.ts';

const caller = { directory: '/here' };

for (const [text, want] of [
  ['type=mounts,dest=c.tar', { type: 'mounts', place: { file: '/here/c.tar' } }],
  ['type=mounts,ref=host:5000/c:1', { type: 'mounts', place: { reference: 'host:5000/c:1' } }],
  ['ref=c,type=mounts,ids=npm', { type: 'mounts', place: { reference: 'c' }, ids: ['npm'] }],
  ['type=mounts,ref=c,ids=/root/.cache:a', { type: 'mounts', place: { reference: 'c' }, ids: ['/root/.cache:a', '/root/.cache', 'a'] }],
  ['type=mounts,ref=c,on-failure,ignore-error=true', { type: 'mounts', place: { reference: 'c' }, onFailure: true, ignoreError: true }],
  ['type=mounts,ref=c,on-failure=false', { type: 'mounts', place: { reference: 'c' } }],
] as const) {
  test(`--cache-to ${text}`, () => assert.deepEqual(parseCacheTo(text, caller), want));
}

for (const [text, want] of [
  ['type=mounts,src=/c.tar', { type: 'mounts', place: { file: '/c.tar' } }],
  ['type=mounts,ref=c,mode=keep', { type: 'mounts', place: { reference: 'c' } }],
  ['type=mounts,ref=c,mode=replace', { type: 'mounts', place: { reference: 'c' }, replace: true }],
] as const) {
  test(`--cache-from ${text}`, () => assert.deepEqual(parseCacheFrom(text, caller), want));
}

const refused: readonly [string, ErrorCode][] = [
  ['', 'UNSUPPORTED'],
  ['user/app:cache', 'UNSUPPORTED'],
  ['type=registry,ref=c', 'UNSUPPORTED'],
  ['type=gha', 'UNSUPPORTED'],
  ['type=local,dest=c', 'UNSUPPORTED'],
  ['type=inline', 'UNSUPPORTED'],
  ['type=mount,ref=c', 'ARG_INVALID'],
  ['ref=c', 'ARG_INVALID'],
  ['type=mounts', 'ARG_INVALID'],
  ['type=mounts,ref=', 'ARG_INVALID'],
  ['type=mounts,ref=c,ref=d', 'ARG_INVALID'],
  ['type=mounts,ref=c,ids=', 'ARG_INVALID'],
  ['type=mounts,ref=c,modus=x', 'ARG_INVALID'],
  ['type=mounts,ref=C', 'REFERENCE_INVALID'],
];

for (const [text, code] of refused) {
  test(`"${text}" is refused`, () => {
    assert.throws(() => parseCacheTo(text, caller), withCode(code));
    assert.throws(() => parseCacheFrom(text, caller), withCode(code));
  });
}

test('the short form is the name of a cache of layers, which is told', () => {
  assert.throws(() => parseCacheFrom('user/app:cache', caller), {
    message: '"--cache-from user/app:cache", a cache of layers, is not there',
  });
});

for (const [parse, text] of [
  [parseCacheTo, 'type=mounts,ref=c,dest=c'],
  [parseCacheTo, 'type=mounts,src=c'],
  [parseCacheTo, 'type=mounts,ref=c,mode=max'],
  [parseCacheTo, 'type=mounts,ref=c,ignore-error=maybe'],
  [parseCacheFrom, 'type=mounts,ref=c,src=c'],
  [parseCacheFrom, 'type=mounts,dest=c'],
  [parseCacheFrom, 'type=mounts,ref=c,mode=max'],
] as const) {
  test(`${parse.name} refuses ${text}`, () => assert.throws(() => parse(text, caller), withCode('ARG_INVALID')));
}
