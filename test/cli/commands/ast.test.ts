import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../support/store.ts';
import { runCli } from '../caller.ts';

test('ast: a file without errors is one JSON object', async () => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, 'Dockerfile'), 'FROM scratch AS a\nENV a=1 b="2 3"\n');
  const { status, stdout, stderr } = await runCli(['ast', 'Dockerfile'], { directory: folder.path });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  const { instructions, diagnostics } = JSON.parse(stdout);
  assert.deepEqual(diagnostics, []);
  assert.deepEqual(
    instructions.map(({ name, args }: { name: string; args: string[] }) => [name, args]),
    [
      ['FROM', ['scratch', 'AS', 'a']],
      ['ENV', ['a=1', 'b="2 3"']],
    ],
  );
});

test('ast: errors are in the object and on standard error, and make the status 1', async () => {
  const { status, stdout, stderr } = await runCli(['ast', '-'], { stdin: 'FROM scratch\nCOPPY a b\n' });
  assert.equal(status, 1);
  assert.equal(JSON.parse(stdout).diagnostics[0].range.start.line, 2);
  assert.match(stderr, /^-:2:1: error: .*\[UNKNOWN_INSTRUCTION\]\n {2}2 \| COPPY a b\n {4}\| \^\^\^\^\^\n/);
});

test('ast: a file that is not there', async () => {
  await using folder = await temporaryFolder();
  const { status, stdout, stderr } = await runCli(['ast', 'nope'], { directory: folder.path });
  assert.deepEqual({ status, stdout }, { status: 2, stdout: '' });
  assert.match(stderr, /\[DOCKERFILE_MISSING\]/);
});
