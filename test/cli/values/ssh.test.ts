import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSsh } from '../../../src/cli/values/ssh.ts';
import { withCode } from '../../support/errors.ts';

const caller = { directory: '/home/me', environment: { SSH_AUTH_SOCK: '/run/agent' } };

for (const { text, want } of [
  { text: 'default', want: { id: 'default', paths: ['/run/agent'], raw: false } },
  { text: '', want: { id: 'default', paths: ['/run/agent'], raw: false } },
  { text: 'default=', want: { id: 'default', paths: ['/run/agent'], raw: false } },
  { text: 'git=key.pem', want: { id: 'git', paths: ['/home/me/key.pem'], raw: false } },
  { text: 'git=/a/key,../b', want: { id: 'git', paths: ['/a/key', '/home/b'], raw: false } },
  { text: 'x=/s,raw=true', want: { id: 'x', paths: ['/s'], raw: true } },
  { text: 'x=raw=1,/s', want: { id: 'x', paths: ['/s'], raw: true } },
  { text: 'x=/s,raw=false', want: { id: 'x', paths: ['/s'], raw: false } },
  { text: 'x=/a=b', want: { id: 'x', paths: ['/a=b'], raw: false } },
]) {
  test(`--ssh ${text} is read`, () => assert.deepEqual(parseSsh(text, caller), want));
}

for (const { text, environment = caller.environment, code = 'ARG_INVALID' } of [
  { text: 'default', environment: {}, code: 'SSH_MISSING' },
  { text: 'x=raw=true' },
  { text: 'x=/a,/b,raw=true' },
  { text: 'x=/a,raw=maybe' },
] as const) {
  test(`--ssh ${text} is refused with ${code}`, () => {
    assert.throws(() => parseSsh(text, { ...caller, environment }), withCode(code));
  });
}
