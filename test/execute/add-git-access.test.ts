import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { added, environment, refused, secret, usualRepository } from '../support/add.ts';
import { gitServer } from '../support/git-server.ts';
import { makeBench } from '../support/library.ts';
import { tool } from '../support/tools.ts';

test('a user and a password in the address are not kept', async () => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  await usualRepository(git);
  git.authorization = `basic ${Buffer.from('user:pass').toString('base64')}`;
  const url = git.address('r').replace('//', '//user:pass@');
  // A git that tells what stands in its arguments, where `ps` would show it to everyone.
  const log = join(bench.directory, 'arguments');
  await writeFile(join(bench.directory, 'git'), `#!/bin/sh\necho "$@" >> ${log}\nPATH=\${PATH#*:}; exec git "$@"\n`, { mode: 0o755 });
  const PATH = `${bench.directory}:${environment.PATH}`;
  const { files } = await added(bench, `ADD ${url}?keep-git-dir=true /`, { environment: { ...environment, PATH } });
  assert.match(await readFile(log, 'utf8'), /ls-remote/);
  assert.doesNotMatch(await readFile(log, 'utf8'), /pass/);
  assert.match(files.get('.git/config')?.text ?? '', /url = http:\/\/xxxxx:xxxxx@127/);
  for (const { name, text } of files.values()) assert.doesNotMatch(text, /user:pass/, name);
});

for (const { name, secrets, want } of [
  { name: 'a token', secrets: { GIT_AUTH_TOKEN: 'abc' }, want: `basic ${Buffer.from('x-access-token:abc').toString('base64')}` },
  { name: 'a header', secrets: { GIT_AUTH_HEADER: 'Custom abc\n', GIT_AUTH_TOKEN: 'x' }, want: 'Custom abc' },
  {
    name: 'a token of the host',
    secrets: { 'GIT_AUTH_TOKEN.HOST': 'abc', GIT_AUTH_HEADER: 'x' },
    want: `basic ${Buffer.from('x-access-token:abc').toString('base64')}`,
  },
  { name: 'a header of the host', secrets: { 'GIT_AUTH_HEADER.HOST': 'Custom h', 'GIT_AUTH_TOKEN.HOST': 'abc' }, want: 'Custom h' },
]) {
  test(`secrets give ${name}, to nobody else`, async () => {
    await using git = await gitServer();
    await using other = await gitServer();
    await using bench = await makeBench({});
    await other.create('sub');
    const sub = await other.commit('sub', { s: 's\n' });
    await git.create('r');
    await git.commit('r', { a: 'a\n' });
    await git.link('r', 'x', sub, `[submodule "x"]\n\tpath = x\n\turl = ${other.address('sub')}\n`);
    git.authorization = want;
    const given = Object.entries(secrets).map(([id, value]) => secret(id.replace('HOST', new URL(git.url).host), value));
    const { files } = await added(bench, `ADD ${git.address('r')} /`, { secrets: given });
    assert.equal(files.get('x/s')?.text, 's\n');
    assert.deepEqual([...new Set(other.seen.map((line) => line.split(' ').slice(1).join(' ')))], ['-']);
    git.redirect = (path) => (path.startsWith('/away') ? `${other.address('sub')}${path.slice('/away.git'.length)}` : undefined);
    other.seen.length = 0;
    const error = await refused(bench, `ADD ${git.address('away')} /`, { secrets: given });
    assert.match(error.hint ?? '', /no redirect is followed/);
    assert.deepEqual(other.seen, []);
  });
}

test('a private repository says how to give a token', async () => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  await usualRepository(git);
  git.authorization = 'none';
  const error = await refused(bench, `ADD ${git.address('r')} /`);
  assert.equal(error.code, 'GIT_FAILED');
  assert.match(error.hint ?? '', /GIT_AUTH_TOKEN/);
});

/** An `ssh` that connects to nothing: it tells how it was called and which keys its agent has, and runs the other side's program here. */
const fakeSsh = (mark: string) => `#!/bin/sh
printf '%s\\n' "$@" >${mark}
ssh-add -L >${mark}.keys 2>&1
for last; do :; done
eval "exec $last"
`;

test('by ssh a repository is fetched with the keys of --ssh default, and with none besides', async () => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  await usualRepository(git);
  const [bin, mark, key] = ['bin', 'mark', 'key'].map((name) => join(bench.directory, name)) as [string, string, string];
  await mkdir(bin);
  await writeFile(join(bin, 'ssh'), fakeSsh(mark), { mode: 0o755 });
  await tool('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', key]);
  const options = {
    environment: { ...environment, PATH: `${bin}:${process.env.PATH}`, SSH_AUTH_SOCK: '/elsewhere' },
    ssh: [{ id: 'default', paths: [key], raw: false }],
  };
  const path = join(git.directory, 'r.git');
  for (const [address, host] of [
    [`ssh://git@host.example:2222${path}#old`, 'git@host.example'],
    [`git@host.example:${path}#old`, 'git@host.example'],
  ]) {
    const { files } = await added(bench, `ADD ${address} /${host?.length}`, options);
    assert.equal([...files.values()].find(({ name }) => name.endsWith('a.txt'))?.text, 'one\n');
    const said = await readFile(mark, 'utf8');
    assert.match(said, /^-F\n\/dev\/null\n/);
    assert.match(said, /StrictHostKeyChecking=accept-new/);
    assert.match(said, new RegExp(`\n${host}\n`));
    const [type, blob] = (await readFile(`${key}.pub`, 'utf8')).split(' ');
    assert.equal((await readFile(`${mark}.keys`, 'utf8')).trim(), `${type} ${blob?.trim()}`);
  }
});

test('by ssh without --ssh a repository is refused', async () => {
  await using bench = await makeBench({});
  const error = await refused(bench, 'ADD git@host.example:r.git /');
  assert.equal(error.code, 'SSH_MISSING');
  assert.match(error.hint ?? '', /--ssh default/);
});
