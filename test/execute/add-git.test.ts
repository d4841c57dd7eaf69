import assert from 'node:assert/strict';
import { readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { added, environment, refused, usualRepository } from '../support/add.ts';
import { gitServer } from '../support/git-server.ts';
import { makeBench } from '../support/library.ts';

test('a repository gives the files of its default branch, as BuildKit lays them down', async () => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  await usualRepository(git);
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
    const { first, second } = await usualRepository(git, `--object-format=${format}`);
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
  const { first } = await usualRepository(git);
  // Version 0 of the protocol has rules about that; the server here is asked by it alone.
  await git.git('r', 'config', 'protocol.version', '0');
  await git.git('r', 'config', 'uploadpack.allowAnySHA1InWant', 'false');
  await git.git('r', 'update-ref', '-d', 'refs/heads/old');
  assert.equal((await added(bench, `ADD ${git.address('r')}#${first} /`)).files.get('a.txt')?.text, 'one\n');
});

test('--keep-git-dir keeps a repository of one commit, with the address that it was fetched from', async () => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  const { second } = await usualRepository(git);
  const { files } = await added(bench, `ADD --keep-git-dir ${git.address('r')}#main /`);
  assert.equal(files.get('.git/shallow')?.text, `${second}\n`);
  assert.equal(files.get('.git/refs/heads/main')?.text, `${second}\n`);
  assert.match(files.get('.git/config')?.text ?? '', new RegExp(`\\turl = ${git.address('r')}\n`));
  assert.equal(files.get('.git/logs/HEAD')?.text, '');
  assert.equal(files.has('.git/FETCH_HEAD'), false);
  for (const { name, text } of files.values()) assert.doesNotMatch(text, new RegExp(bench.root), name);
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
  await usualRepository(git);
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
  const { second } = await usualRepository(git);
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
  const { first } = await usualRepository(git);
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

test('flaws that old tools have left in good repositories do no harm', async () => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  await usualRepository(git);
  const tree = await git.git('r', 'rev-parse', 'HEAD^{tree}');
  const text = join(git.directory, 'commit');
  await writeFile(text, `tree ${tree}\nauthor a <a@b>0 +0000\ncommitter <a@b> 00 +051800\n\nflawed\n`);
  const commit = await git.git('r', 'hash-object', '-t', 'commit', '-w', '--literally', text);
  await git.git('r', 'update-ref', 'refs/heads/flawed', commit);
  assert.equal((await added(bench, `ADD ${git.address('r')}#flawed /`)).files.get('a.txt')?.text, 'two\n');
});

test('mtime=commit gives all files the time of the commit', async () => {
  await using git = await gitServer();
  await using bench = await makeBench({});
  await usualRepository(git);
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
  await usualRepository(git);
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
  await usualRepository(git);
  await added(bench, `ADD ${git.address('r')} /a`);
  await rm(join(bench.root, 'git'), { recursive: true });
  assert.equal((await added(bench, `ADD ${git.address('r')} /b`)).files.get('b/a.txt')?.text, 'two\n');
});
