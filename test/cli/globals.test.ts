import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultGlobals, needRoot } from '../../src/cli/globals.ts';
import { recordingCaller } from './caller.ts';

for (const { name, environment, isRoot, want } of [
  { name: 'root has the machine-wide one', environment: { HOME: '/root' }, isRoot: true, want: '/var/lib/cooper' },
  { name: 'a user has one in his home', environment: { HOME: '/home/u' }, isRoot: false, want: '/home/u/.local/share/cooper' },
  { name: 'XDG_DATA_HOME', environment: { HOME: '/home/u', XDG_DATA_HOME: '/data' }, isRoot: false, want: '/data/cooper' },
  {
    name: 'a relative XDG_DATA_HOME counts not',
    environment: { HOME: '/h', XDG_DATA_HOME: 'd' },
    isRoot: false,
    want: '/h/.local/share/cooper',
  },
  { name: 'COOPER_ROOT wins', environment: { HOME: '/h', COOPER_ROOT: '/store' }, isRoot: true, want: '/store' },
  { name: 'COOPER_ROOT may be relative', environment: { COOPER_ROOT: 'store' }, isRoot: false, want: '/home/user/store' },
  { name: 'an empty COOPER_ROOT is none', environment: { HOME: '/h', COOPER_ROOT: '' }, isRoot: false, want: '/h/.local/share/cooper' },
]) {
  test(`store root: ${name}`, () => assert.equal(needRoot(defaultGlobals(recordingCaller({ environment, isRoot }))), want));
}

test('store root: without a home there is none', () => {
  assert.throws(() => needRoot(defaultGlobals(recordingCaller({ environment: {} }))), { code: 'ARG_INVALID' });
});
