import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BuildError } from '../../src/diagnostics/build-error.ts';
import { absenceHint } from '../../src/execute/exec-mounts.ts';
import { isFailureOfRun, runError } from '../../src/execute/run-error.ts';
import type { ExecSpec, Spec } from '../../src/graph/spec.ts';
import type { Vertex } from '../../src/graph/vertex.ts';
import type { SandboxResult } from '../../src/worker/protocol.ts';

const spec = { argv: ['/bin/sh', '-c', 'make'] } as Partial<ExecSpec> as ExecSpec;
const vertex = { name: '[2/3] RUN make' } as Partial<Vertex<Spec>> as Vertex<Spec>;
const ended: SandboxResult = { exitCode: 1, oom: false, maxRssBytes: 0, userMs: 0, systemMs: 0, startedNs: '0', endedNs: '0' };

// The numbers are the kernel's: 9 is SIGKILL, 11 SIGSEGV.
const cases: { name: string; result: Partial<SandboxResult>; code: string; message: RegExp; hint?: RegExp }[] = [
  { name: 'a status', result: {}, code: 'RUN_FAILED', message: /^\[2\/3\] "make" ended with exit status 1$/ },
  { name: 'a missing program', result: { exitCode: 127 }, code: 'RUN_FAILED', message: /127$/, hint: /not found in the image/ },
  { name: 'a signal', result: { exitCode: 137, signal: 9 }, code: 'RUN_FAILED', message: /was ended by signal 9 \(SIGKILL\)$/ },
  { name: 'a crash below a shell', result: { exitCode: 139 }, code: 'RUN_FAILED', message: /139$/, hint: /ended by SIGSEGV/ },
  {
    name: 'no memory',
    result: { oom: true },
    code: 'OUT_OF_MEMORY',
    message: /ran out of memory \(exit status 1\)/,
    hint: /--memory|memory/,
  },
];

for (const { name, result, code, message, hint } of cases) {
  test(`a RUN that ends by ${name} is a failure of it`, () => {
    const error = runError(vertex, spec, { result: { ...ended, ...result }, tail: ['last words'], limits: undefined, absence: undefined });
    assert.equal(error.code, code);
    assert.match(error.message, message);
    if (hint) assert.match(error.hint ?? '', hint);
    assert.deepEqual(error.notes, ['last words']);
    assert.equal(isFailureOfRun(error), true);
  });
}

test('an export that fails is no failure of a RUN', () => {
  assert.equal(isFailureOfRun(new BuildError('EXPORT_FAILED', 'the disk is full')), false);
});

test('a RUN that failed without secrets and agents that nobody gave says so, unless there is more to say', () => {
  const secret = { type: 'secret', id: 'token', env: 'TOKEN', required: false, uid: 0, gid: 0, mode: 0o400 } as const;
  const agent = { type: 'ssh', id: 'default', target: '/agent', required: false, uid: 0, gid: 0, mode: 0o600 } as const;
  const mounts = { ...spec, mounts: [secret, agent] };
  assert.equal(absenceHint(mounts, mounts.mounts), undefined);
  const absence = absenceHint(mounts, [agent]);
  assert.equal(absence, 'the secret "token" was not given: give it with --secret id=token,src=FILE or --secret id=token,env=NAME');
  assert.match(absenceHint(mounts, []) ?? '', /NAME; no agent "default" was given: give yours with --ssh default$/);
  const hintOf = (exitCode: number) =>
    runError(vertex, spec, { result: { ...ended, exitCode }, tail: [], limits: undefined, absence }).hint;
  assert.equal(hintOf(1), absence);
  assert.match(hintOf(127) ?? '', /not found in the image/);
});
