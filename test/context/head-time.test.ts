import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { headTime } from '../../src/context/head-time.ts';
import { tool } from '../support/tools.ts';

const signal = new AbortController().signal;
const environment = { PATH: process.env.PATH };

test('the time of a commit is that of its committer', async () => {
  await using folder = await temporary();
  await commit(folder.path);
  assert.equal(await headTime(folder.path, environment, signal), 1234567890);
});

test('a folder within the repository has the time of the repository', async () => {
  await using folder = await temporary();
  await tool('mkdir', [join(folder.path, 'below')]);
  await commit(folder.path);
  assert.equal(await headTime(join(folder.path, 'below'), environment, signal), 1234567890);
});

test('a repository that would run a program runs none', async () => {
  await using folder = await temporary();
  await commit(folder.path);
  const ran = join(folder.path, 'ran');
  const program = join(folder.path, 'program');
  await writeFile(program, `#!/bin/sh\ntouch ${ran}\n`, { mode: 0o755 });
  for (const [name, value] of [
    ['log.showSignature', 'true'],
    ['gpg.program', program],
    ['core.fsmonitor', program],
    ['core.pager', program],
    ['core.sshCommand', program],
  ] as const) {
    await tool('git', ['-C', folder.path, 'config', name, value]);
  }
  await headTime(folder.path, environment, signal);
  await assert.rejects(tool('ls', [ran]));
});

for (const [name, prepare] of [
  ['no repository', async () => {}],
  ['a repository without a commit', (path: string) => tool('git', ['-C', path, 'init', '-q'])],
] as const) {
  test(`${name} has no time`, async () => {
    await using folder = await temporary();
    await prepare(folder.path);
    await assert.rejects(headTime(folder.path, environment, signal), { code: 'GIT_FAILED', hint: /SOURCE_DATE_EPOCH/ });
  });
}

async function commit(path: string): Promise<void> {
  const as = ['-c', 'user.name=a', '-c', 'user.email=a@host.test'];
  await tool('git', ['-C', path, 'init', '-q']);
  const dates = ['GIT_AUTHOR_DATE=@1 +0000', 'GIT_COMMITTER_DATE=@1234567890 +0200'];
  const message = 'first\n\ncommitter x <y> 99 +0000';
  await tool('env', [...dates, 'git', '-C', path, ...as, 'commit', '-q', '--allow-empty', '-m', message]);
}

async function temporary(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'cooper-head-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
