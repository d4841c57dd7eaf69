import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { added, environment, refused } from '../support/add.ts';
import { gitServer } from '../support/git-server.ts';
import { makeBench } from '../support/library.ts';
import { tool } from '../support/tools.ts';

for (const { name, gitmodules } of [
  { name: 'a path of this machine', gitmodules: (path: string) => `[submodule "x"]\n\tpath = x\n\turl = ${path}\n` },
  { name: 'a file URL', gitmodules: (path: string) => `[submodule "x"]\n\tpath = x\n\turl = file://${path}\n` },
  { name: 'a program', gitmodules: () => '[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch% MARK\n' },
  { name: 'an option', gitmodules: () => '[submodule "x"]\n\tpath = x\n\turl = -u./payload\n' },
  { name: 'an option of ssh', gitmodules: () => '[submodule "x"]\n\tpath = x\n\turl = ssh://-oProxyCommand=touch MARK/x\n' },
  { name: 'a name above its place', gitmodules: (path: string) => `[submodule "../../../x"]\n\tpath = x\n\turl = ${path}\n` },
]) {
  test(`a submodule that names ${name} is refused`, async () => {
    await using git = await gitServer();
    await using bench = await makeBench({});
    const mark = join(bench.directory, 'mark');
    await git.create('victim');
    const victim = await git.commit('victim', { secret: 'secret\n' });
    await git.create('r');
    await git.commit('r', { payload: { text: `#!/bin/sh\ntouch ${mark}\n` } });
    await git.link('r', 'x', victim, gitmodules(join(git.directory, 'victim.git')).replace('MARK', mark));
    assert.equal((await refused(bench, `ADD ${git.address('r')} /`)).code, 'GIT_FAILED');
    assert.equal(existsSync(mark), false);
  });
}

test('submodules without end are refused', async () => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  let below: string | undefined;
  for (let depth = 11; depth >= 0; depth -= 1) {
    await git.create(`m${depth}`);
    const commit = await git.commit(`m${depth}`, { f: String(depth) });
    const url = `../m${depth + 1}.git`;
    below = below === undefined ? commit : await git.link(`m${depth}`, 's', below, `[submodule "s"]\n\tpath = s\n\turl = ${url}\n`);
  }
  assert.match((await refused(bench, `ADD ${git.address('m0')} /`)).message, /more than 10 deep/);
});

test('no hook runs, no filter, and no configuration of ours is read', async () => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  const [home, mark] = [join(bench.directory, 'home'), join(bench.directory, 'mark')];
  await mkdir(join(home, 'hooks'), { recursive: true });
  const hook = `#!/bin/sh\ntouch ${mark}\n`;
  for (const name of ['post-checkout', 'reference-transaction', 'post-index-change'])
    await writeFile(join(home, 'hooks', name), hook, { mode: 0o755 });
  const config = `[core]\n\thooksPath = ${home}/hooks\n\tfsmonitor = touch ${mark}\n[filter "x"]\n\tsmudge = touch ${mark}\n[init]\n\ttemplateDir = ${home}\n`;
  await writeFile(join(home, '.gitconfig'), config);
  await git.create('r');
  await git.commit('r', { '.gitattributes': '* filter=x diff=x merge=x\n', a: 'a\n', 'hooks/post-checkout': { text: hook } });
  const odd = { HOME: home, XDG_CONFIG_HOME: home, GIT_CONFIG_GLOBAL: join(home, '.gitconfig'), GIT_TEMPLATE_DIR: home, GIT_DIR: home };
  await added(bench, `ADD --keep-git-dir ${git.address('r')} /`, { environment: { ...environment, ...odd } });
  assert.equal(existsSync(mark), false);
});

test('a symlink in the way of a directory is not followed', async () => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  const outside = join(bench.directory, 'outside');
  await mkdir(outside);
  await git.create('r');
  await git.commit('r', { 'x/f': 'inside\n' });
  // A tree may hold what no directory can: a symlink, and a file below it.
  const target = join(git.directory, 'target');
  await writeFile(target, outside);
  const link = await git.git('r', 'hash-object', '-w', target);
  const script = '{ git ls-tree HEAD; printf "120000 blob %s\\tx\\n" "$0"; } | git mktree';
  const made = (await tool('sh', ['-c', `cd ${git.directory}/r.git && ${script}`, link])).trim();
  const commit = await git.git('r', 'commit-tree', made, '-m', 'odd');
  await git.git('r', 'update-ref', 'refs/heads/main', commit);
  await refused(bench, `ADD ${git.address('r')} /`);
  assert.deepEqual(await readdir(outside), []);
});

// CVE-2026-33748: the directory of a repository that is asked for is a symlink, or lies behind one.
for (const subdir of ['out', 'out/sub', 'up/sub', 'in/../out']) {
  test(`the directory "${subdir}" of a repository is refused, as a symlink leads out`, async () => {
    await using git = await gitServer();
    await using bench = await makeBench({});
    await mkdir(join(bench.directory, 'outside/sub'), { recursive: true });
    await writeFile(join(bench.directory, 'outside/sub/secret'), 'secret\n');
    await git.create('r');
    const out = join(bench.directory, 'outside');
    await git.commit('r', { 'in/f': 'f\n', out: { link: out }, up: { link: `${'../'.repeat(20)}${out}` } });
    assert.equal((await refused(bench, `ADD ${git.address('r')}#:${subdir} /`)).code, 'GIT_FAILED');
  });
}
