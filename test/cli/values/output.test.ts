import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOutput } from '../../../src/cli/values/output.ts';

const caller = { directory: '/home/user', resultIsTerminal: false };

for (const { text, want } of [
  { text: 'type=oci,dest=a.tar', want: { type: 'oci', destination: '/home/user/a.tar' } },
  { text: 'type=docker,dest=/tmp/a.tar,tar=true', want: { type: 'docker', destination: '/tmp/a.tar' } },
  { text: 'type=local,dest=out', want: { type: 'local', destination: '/home/user/out' } },
  { text: 'out', want: { type: 'local', destination: '/home/user/out' } },
  { text: 'type=oci,dest=-', want: { type: 'oci', destination: '-' } },
  { text: 'type=docker', want: { type: 'docker', destination: '-' } },
] as const) {
  test(`parseOutput: ${text}`, () => assert.deepEqual(parseOutput(text, caller), want));
}

for (const { text, code } of [
  { text: '', code: 'ARG_INVALID' },
  { text: 'dest=a.tar', code: 'ARG_INVALID' },
  { text: 'type=ocl,dest=a.tar', code: 'ARG_INVALID' },
  { text: 'type=local', code: 'ARG_INVALID' },
  { text: 'type=local,dest=-', code: 'ARG_INVALID' },
  { text: '-', code: 'UNSUPPORTED' },
  { text: 'type=registry', code: 'UNSUPPORTED' },
  { text: 'type=constructor', code: 'ARG_INVALID' },
  { text: 'type=oci,dest=a.tar,compression=zstd', code: 'UNSUPPORTED' },
  { text: 'type=oci,dest=a,tar=false', code: 'UNSUPPORTED' },
] as const) {
  test(`parseOutput refuses: ${text || 'nothing'}`, () => assert.throws(() => parseOutput(text, caller), { name: 'BuildError', code }));
}

test('parseOutput: no archive goes to a terminal', () => {
  assert.throws(() => parseOutput('type=oci', { ...caller, resultIsTerminal: true }), { code: 'ARG_INVALID' });
});
