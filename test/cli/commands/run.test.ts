import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCli } from '../caller.ts';

// What is refused before anything runs. Real containers are in test/e2e.
for (const { args, status, message } of [
  { args: [], status: 2, message: '"cooper run" needs IMAGE [ARG...] [ARG_INVALID]' },
  { args: ['--rm=false', 'x'], status: 1, message: 'containers that are kept are not there yet [UNSUPPORTED]' },
  { args: ['-it', 'x', 'sh'], status: 2, message: 'standard input is not a terminal, so the program cannot have it as one [ARG_INVALID]' },
  { args: ['-d', 'x'], status: 2, message: '"cooper run" does not have "-d" yet [UNKNOWN_OPTION]' },
] as const) {
  test(`run refuses: ${args.join(' ')}`, async () => {
    const outcome = await runCli(['run', ...args]);
    assert.deepEqual({ status: outcome.status, stdout: outcome.stdout }, { status, stdout: '' });
    assert.equal(outcome.stderr.split('\n')[0], `error: ${message}`);
  });
}
