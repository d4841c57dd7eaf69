import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryFolder } from '../../support/store.ts';
import { runCli } from '../caller.ts';

// What is refused before anything is built. Real builds are in test/e2e.
for (const { name, args, status, message } of [
  { name: 'no context', args: [], status: 2, message: '"cooper build" needs PATH | URL | - [ARG_INVALID]' },
  { name: 'two contexts', args: ['a', 'b'], status: 2, message: '"cooper build" does not know what to do with "b" [ARG_INVALID]' },
  { name: 'a push to nowhere', args: ['--push', '.'], status: 2, message: '"--push" needs to know where to [ARG_INVALID]' },
  {
    name: 'two results on standard output',
    args: ['-q', '-o', 'type=oci,dest=-', '.'],
    status: 2,
    message: '"--quiet" prints the digest where an output goes: to standard output [ARG_INVALID]',
  },
  {
    name: 'two archives on standard output',
    args: ['-o', 'type=oci', '-o', 'type=docker', '.'],
    status: 2,
    message: 'two outputs cannot both go to standard output [ARG_INVALID]',
  },
  {
    name: 'standard input twice',
    args: ['-f', '-', '-'],
    status: 2,
    message: 'standard input cannot be both the build context and the Dockerfile [ARG_INVALID]',
  },
  {
    name: 'a repository with an option that there is none of',
    args: ['https://example.org/x.git?brunch=a'],
    status: 2,
    message: '"https://example.org/x.git?brunch=a" is no reference to a git repository: there is no option "brunch" [CONTEXT_INVALID]',
  },
  { name: 'an empty context', args: [''], status: 2, message: 'the build context is an empty name [CONTEXT_INVALID]' },
] as const) {
  test(`build refuses: ${name}`, async () => {
    await using folder = await temporaryFolder();
    const outcome = await runCli(['build', '--root', `${folder.path}/store`, ...args], { directory: folder.path });
    assert.deepEqual({ status: outcome.status, stdout: outcome.stdout }, { status, stdout: '' });
    assert.equal(outcome.stderr.split('\n')[0], `error: ${message}`);
  });
}
