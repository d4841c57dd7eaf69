import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type GitServer, gitServer } from '../support/git-server.ts';
import { lastLayer } from '../support/layer-entries.ts';
import { type Bench, makeBench } from '../support/library.ts';
import { tool } from '../support/tools.ts';

const environment = { PATH: process.env.PATH, HOME: '/root' };
const secret = (id: string, value: string) => ({ id, source: { value } });

async function added(bench: Bench, line: string, options: Parameters<Bench['built']>[0] = {}) {
  await bench.write({ Dockerfile: `FROM scratch\n${line}\n` });
  const built = await bench.built({ environment, ...options });
  return { ...built, files: await lastLayer(bench.root, built.result.digest) };
}

async function refused(bench: Bench, line: string, options: Parameters<Bench['fails']>[0] = {}) {
  await bench.write({ Dockerfile: `FROM scratch\n${line}\n` });
  return bench.fails({ environment, ...options });
}

/** A repository with all kinds of files, and a history. */
async function usual(git: GitServer, ...format: readonly string[]): Promise<{ first: string; second: string }> {
  await git.create('r', ...format);
  const first = await git.commit('r', {
    'a.txt': 'one\n',
    run: { text: '#!/bin/sh\n' },
    link: { link: 'a.txt' },
    out: { link: '/etc/passwd' },
    'd/e/f': 'deep\n',
    '.dockerignore': '*\n',
  });
  await git.git('r', 'tag', 'light');
  await git.git('r', 'tag', '-a', 'v1', '-m', 'v1');
  await git.git('r', 'branch', 'old');
  await git.git('r', 'update-ref', 'refs/pull/1/head', first);
  const second = await git.commit('r', { 'a.txt': 'two\n' });
  return { first, second };
}

test('a repository gives the files of its default branch, as BuildKit lays them down', async () => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  await usual(git);
  const umask = process.umask(0o077);
  const { files } = await added(bench, `ADD ${git.address('r')} /to`).finally(() => process.umask(umask));
  const lines = [...files.values()].map(({ name, type, mode, uid, gid, linkname }) =>
    [type, mode.toString(8), uid, gid, name, linkname].join(' ').trim(),
  );
  assert.deepEqual(lines, [
    'directory 755 0 0 to',
    'file 644 0 0 to/.dockerignore',
    'file 644 0 0 to/a.txt',
    'directory 755 0 0 to/d',
    'directory 755 0 0 to/d/e',
    'file 644 0 0 to/d/e/f',
    'symlink 777 0 0 to/link a.txt',
    'symlink 777 0 0 to/out /etc/passwd',
    'file 755 0 0 to/run',
  ]);
  assert.equal(files.get('to/a.txt')?.text, 'two\n');
});

const references: readonly (readonly [string, string])[] = [
  ['', 'two\n'],
  ['#main', 'two\n'],
  ['#old', 'one\n'],
  ['#light', 'one\n'],
  ['#v1', 'one\n'],
  ['#refs/heads/old', 'one\n'],
  ['#refs/tags/v1', 'one\n'],
  ['#refs/pull/1/head', 'one\n'],
  ['#FIRST', 'one\n'],
  ['#SECOND', 'two\n'],
  ['?branch=old', 'one\n'],
  ['?tag=v1', 'one\n'],
  ['?ref=light', 'one\n'],
  ['?commit=SECOND', 'two\n'],
  ['?checksum=FIRST&tag=v1', 'one\n'],
  ['?checksum=FIRST&fetch-by-commit', 'one\n'],
  ['?checksum=FIRST&fetch-by-commit=1&ref=gone', 'one\n'],
];

for (const format of ['sha1', 'sha256']) {
  test(`every way to name a commit of a ${format} repository finds it`, async (context) => {
    await using git = await gitServer();
    await using bench = await makeBench({});
    const { first, second } = await usual(git, `--object-format=${format}`);
    for (const [reference, want] of references) {
      const url = `${git.address('r')}${reference.replace('FIRST', first).replace('SECOND', second)}`;
      await context.test(`"${reference}"`, async () => {
        assert.equal((await added(bench, `ADD ${url} /`)).files.get('a.txt')?.text, want);
        const kept = await added(bench, `ADD --keep-git-dir ${url} /`);
        assert.equal(kept.files.get('a.txt')?.text, want);
        assert.equal(kept.files.get('.git/HEAD')?.text.trim(), want === 'one\n' ? first : second);
      });
    }
  });
}

test('a server that gives no commit by its name still gives it', async () => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  const { first } = await usual(git);
  // Version 0 of the protocol has rules about that; the server here is asked by it alone.
  await git.git('r', 'config', 'protocol.version', '0');
  await git.git('r', 'config', 'uploadpack.allowAnySHA1InWant', 'false');
  await git.git('r', 'update-ref', '-d', 'refs/heads/old');
  assert.equal((await added(bench, `ADD ${git.address('r')}#${first} /`)).files.get('a.txt')?.text, 'one\n');
});

test('--keep-git-dir keeps a repository of one commit, with the address that it was fetched from', async () => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  const { second } = await usual(git);
  const { files } = await added(bench, `ADD --keep-git-dir ${git.address('r')}#main /`);
  assert.equal(files.get('.git/shallow')?.text, `${second}\n`);
  assert.equal(files.get('.git/refs/heads/main')?.text, `${second}\n`);
  assert.match(files.get('.git/config')?.text ?? '', new RegExp(`\\turl = ${git.address('r')}\n`));
  assert.equal(files.get('.git/logs/HEAD')?.text, '');
  assert.equal(files.has('.git/FETCH_HEAD'), false);
  for (const { name, text } of files.values()) assert.doesNotMatch(text, new RegExp(bench.root), name);
});

test('a user and a password in the address are not kept', async () => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  await usual(git);
  git.authorization = `Basic ${Buffer.from('user:pass').toString('base64')}`;
  const url = git.address('r').replace('//', '//user:pass@');
  const { files } = await added(bench, `ADD ${url}?keep-git-dir=true /`);
  assert.match(files.get('.git/config')?.text ?? '', /url = http:\/\/xxxxx:xxxxx@127/);
  for (const { name, text } of files.values()) assert.doesNotMatch(text, /user:pass/, name);
});

const directories: readonly (readonly [string, string])[] = [
  ['#:d', 'e/f'],
  ['#main:d/e', 'f'],
  ['?subdir=/d/../d/', 'e/f'],
  ['#main:../../d', 'e/f'],
];

test('a directory of a repository is all that comes of it', async (context) => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  await usual(git);
  for (const [reference, want] of directories) {
    await context.test(`"${reference}"`, async () => {
      const { files } = await added(bench, `ADD --keep-git-dir ${git.address('r')}${reference} /`);
      const names = [...files.values()].filter(({ type }) => type === 'file').map(({ name }) => name);
      assert.deepEqual(names, [want]);
    });
  }
});

const refusals: readonly (readonly [string, string, RegExp])[] = [
  ['#gone', 'GIT_FAILED', /no reference "gone"/],
  ['#FIRS', 'GIT_FAILED', /no reference/],
  ['#:gone', 'GIT_FAILED', /"gone" .* is not there/],
  ['#:a.txt', 'GIT_FAILED', /is not a directory/],
  ['#:link', 'GIT_FAILED', /is not a directory/],
  ['?checksum=SECOND&tag=v1', 'CHECKSUM_MISMATCH', /expected commit "SECOND".*found/],
  [`?checksum=${'0'.repeat(40)}`, 'CHECKSUM_MISMATCH', /expected commit/],
  ['?checksum=xyz', 'GIT_FAILED', /is no commit/],
  ['?fetch-by-commit', 'GIT_FAILED', /full commit/],
  ['#--upload-pack=touch', 'GIT_FAILED', /cannot be the name/],
  ['#a..b', 'GIT_FAILED', /cannot be the name/],
  ['?ref=a%0ab', 'GIT_FAILED', /cannot be the name/],
  [`#${'0'.repeat(40)}`, 'GIT_FAILED', /cannot fetch/],
];

test('what cannot be meant is refused, and told', async (context) => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  const { second } = await usual(git);
  for (const [reference, code, message] of refusals) {
    await context.test(`"${reference}"`, async () => {
      const error = await refused(bench, `ADD ${git.address('r')}${reference.replace('SECOND', second)} /`);
      assert.equal(error.code, code);
      assert.match(error.message.replaceAll(second, 'SECOND'), message);
      assert.equal(error.range?.start.line, 2);
    });
  }
});

test('a repository that is not there, and one that nobody serves', async () => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  const error = await refused(bench, `ADD ${git.address('none')} /`);
  assert.equal(error.code, 'GIT_FAILED');
  assert.match(error.message, /not found/);
  await git.create('empty');
  assert.match((await refused(bench, `ADD ${git.address('empty')} /`)).message, /no default branch/);
});

test('an unchanged repository is only asked where its branch stands', async () => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  const { first } = await usual(git);
  const line = `ADD ${git.address('r')} /`;
  const { result } = await added(bench, line);
  git.seen.length = 0;
  const second = await bench.built({ environment });
  assert.deepEqual(second.ran, []);
  assert.equal(second.result.digest, result.digest);
  assert.equal(git.seen.filter((each) => !/\/info\/refs |upload-pack -$/.test(each)).length, 0);
  // The same commit by another name is the same files.
  await git.git('r', 'branch', 'other');
  assert.deepEqual((await added(bench, `ADD ${git.address('r')}#other /`)).cached.length, 1);
  // A commit that is named in full is not asked for at all.
  await added(bench, `ADD ${git.address('r')}#${first} /`);
  git.seen.length = 0;
  assert.deepEqual((await bench.built({ environment })).ran, []);
  assert.deepEqual(git.seen, []);
  await git.commit('r', { 'a.txt': 'three\n' });
  assert.equal((await added(bench, line)).files.get('a.txt')?.text, 'three\n');
});

test('mtime=commit gives all files the time of the commit', async () => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  await usual(git);
  const { files } = await added(bench, `ADD ${git.address('r')}?mtime=commit /d`);
  assert.deepEqual([...new Set([...files.values()].map(({ mtime }) => mtime))], [1500000001]);
});

test('submodules are fetched, relative ones too, unless they are not wanted', async () => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  await git.create('inner');
  const inner = await git.commit('inner', { i: 'inner\n' });
  await git.create('middle');
  await git.commit('middle', { m: 'middle\n' });
  const middle = await git.link('middle', 'in', inner, '[submodule "in"]\n\tpath = in\n\turl = ../inner.git\n');
  await git.create('r');
  await git.commit('r', { a: 'a\n' });
  await git.link('r', 'mods/m', middle, `[submodule "mods/m"]\n\tpath = mods/m\n\turl = ${git.address('middle')}\n`);
  const { files } = await added(bench, `ADD ${git.address('r')} /`);
  assert.equal(files.get('mods/m/in/i')?.text, 'inner\n');
  assert.equal(files.get('mods/m/m')?.text, 'middle\n');
  const without = await added(bench, `ADD ${git.address('r')}?submodules=false /`);
  assert.deepEqual([...without.files.keys()], ['.gitmodules', 'a', 'mods', 'mods/m']);
  const kept = await added(bench, `ADD --keep-git-dir ${git.address('r')} /`);
  assert.equal(kept.files.get('mods/m/in/i')?.text, 'inner\n');
  assert.equal(kept.files.has('.git/modules/mods/m/HEAD'), true);
});

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
  await usual(git);
  git.authorization = 'none';
  const error = await refused(bench, `ADD ${git.address('r')} /`);
  assert.equal(error.code, 'GIT_FAILED');
  assert.match(error.hint ?? '', /GIT_AUTH_TOKEN/);
});

test('without git there is a word on what to install', async () => {
  await using bench = await makeBench({});
  await bench.write({ 'bin/.keep': '' });
  await symlink('/bin/sh', join(bench.context, 'bin/sh'));
  const error = await refused(bench, 'ADD https://host.example/x.git /', { environment: { PATH: join(bench.context, 'bin') } });
  assert.equal(error.code, 'GIT_MISSING');
  assert.match(error.hint ?? '', /apt-get install git/);
});

test('a build that is given up leaves no git behind', async () => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  await usual(git);
  const controller = new AbortController();
  git.redirect = () => {
    controller.abort();
    return undefined;
  };
  const error = await refused(bench, `ADD ${git.address('r')} /`, { signal: controller.signal });
  assert.equal(error.code, 'CANCELLED');
  const commands = (await readdir('/proc'))
    .filter((pid) => /^\d+$/.test(pid))
    .map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''));
  assert.deepEqual(
    (await Promise.all(commands)).filter((line) => line.includes(git.address('r'))),
    [],
  );
});

test('a folder that is gone is fetched again', async () => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  await usual(git);
  await added(bench, `ADD ${git.address('r')} /a`);
  await rm(join(bench.root, 'git'), { recursive: true });
  assert.equal((await added(bench, `ADD ${git.address('r')} /b`)).files.get('b/a.txt')?.text, 'two\n');
});
