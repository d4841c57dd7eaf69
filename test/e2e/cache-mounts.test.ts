import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { busyboxBase, pushBase } from '../support/bases.ts';
import { makeCanary } from '../support/canary.ts';
import { type Built, type Cooper, type Installation, makeCooper } from '../support/cooper.ts';
import { forgeCache } from '../support/forged-cache.ts';
import { outputOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';
import { type Registry, startRegistry } from '../support/registry.ts';
import { type TarEntry, tarOf } from '../support/tar.ts';

// Cache mounts go from one store to another, through a file or a registry, and are what they were.

const exec = promisify(execFile);

/** Everything that can be in a cache: ids, modes, times, links, holes, attributes, names that mean something in a layer. */
const fill = [
  'mkdir -p /c/d/e',
  'for i in 1 2 3 4 5 6 7 8 9; do dd if=/dev/urandom of=/c/d/r$i bs=1024 count=150 2>/dev/null; done',
  'ln /c/d/r1 /c/d/hard',
  'ln -s /nowhere /c/sym',
  'ln -s ../.. /c/d/e/up',
  'mkfifo /c/fifo',
  'truncate -s 3M /c/sparse',
  'printf x >>/c/sparse',
  'chown 33:44 /c/d/r2',
  'chmod 6751 /c/d/r2',
  'touch -d "2001-02-03 04:05:06" /c/d/r3 /c/d/e',
  'echo w >/c/.wh.file',
  'echo o >/c/.wh..wh..opq',
  'echo "with  spaces" >"/c/a b"',
  'chown 7:8 /c',
  'chmod 1770 /c',
].join(' && ');

/** All that can be seen of it: type, mode, ids, links, size, time to the nanosecond, target, and the bytes. */
const show =
  'cd /c && find . | sort | while read f; do echo "$f $(stat -c "%F %a %u:%g %h %s %y" "$f") $(readlink "$f")"; done; find . -type f -print0 | sort -z | xargs -0 sha256sum; du -k sparse | cut -f1';

for (const mode of modes) {
  describe(`cache mounts between stores as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let installation: Installation;
    let first: Cooper;
    let second: Cooper;
    let registry: Registry;
    let base: string;

    before(async () => {
      cleanup = new AsyncDisposableStack();
      const installed = cleanup.use(await mode.install());
      installation = installed;
      registry = cleanup.use(await startRegistry());
      first = cleanup.use(await makeCooper(installation));
      second = cleanup.use(await makeCooper(installation));
      base = await pushBase(await busyboxBase(), registry, 'busybox');
    });

    after(async () => cleanup?.disposeAsync());

    /** A build with one RUN, which is run whatever the cache has. */
    let number = 0;
    async function step(cooper: Cooper, run: string, args: readonly string[] = []): Promise<Built> {
      const context = await cooper.context(`c${++number}`, { Dockerfile: `FROM ${base}\nENV n=${number}\nRUN ${run}\n` });
      return cooper.built([...args, context]);
    }
    const mount = (id: string): string => `--mount=type=cache,target=/c,id=${id}`;
    const warnings = ({ events }: Built): string[] =>
      events.flatMap((event) => (event.type === 'warning' && event.rule === undefined ? [event.message] : []));
    const endsOf = ({ events }: Built, task: string): string[] =>
      events.flatMap((event) => (/^task\.(completed|failed)$/.test(event.type) && 'id' in event && event.id === task ? [event.type] : []));
    const tasks = ({ events }: Built): string[] => events.flatMap((event) => (event.type === 'task.started' ? [event.id] : []));

    test('a registry keeps all of a mount, and only what changed is sent again', async () => {
      const ref = `${registry.host}/caches:one`;
      const to = ['--cache-to', `type=mounts,ref=${ref}`];
      const from = ['--cache-from', `type=mounts,ref=${ref}`];
      const filled = await step(first, `${mount('one')} ${fill}`, to);
      assert.ok(tasks(filled).includes('export cache mount one'));
      const there = outputOf(await step(first, `${mount('one')} ${show}`, to));
      assert.match(there, /^\. directory 1770 7:8 [\s\S]*\b[0-9a-f]{64} {2}\.\/d\/hard\n/);
      const sent = (await registry.requests()).filter((request) => /^PUT .*\/blobs\/uploads/.test(request)).length;
      const puts = async (): Promise<number> =>
        (await registry.requests()).filter((request) => /^PUT .*\/blobs\/uploads/.test(request)).length - sent;

      // Nothing has changed: not a blob is asked for.
      await step(first, `${mount('one')} true`, to);
      assert.equal(await puts(), 0);

      const taken = await step(second, `${mount('one')} ${show}`, from);
      assert.deepEqual(warnings(taken), []);
      assert.equal(outputOf(taken), there);
      const holes = there.trimEnd().split('\n').at(-1);
      assert.ok(Number(holes) < 500, `holes stay holes: ${holes}`);

      // The other store sends what it changed, though its files are new ones: one tar, and the one of the directories.
      await step(second, `${mount('one')} echo more >/c/d/new`, to);
      assert.ok((await puts()) <= 4, `${await puts()} blobs`);
      assert.deepEqual(warnings(await step(first, `${mount('one')} test ! -e /c/d/new`, from)), [], 'a mount that is here stays');
      await step(first, `${mount('one')} cat /c/d/new`, [`${from[0]}`, `${from[1]},mode=replace`]);
    });

    test('an archive does the same, in a form that others read', async () => {
      const file = join(first.directory, 'caches.tar');
      await step(first, `${mount('../../two')} echo two >/c/f`, ['--cache-to', 'type=mounts,dest=caches.tar']);
      const { stdout } = await exec('skopeo', ['inspect', '--raw', `oci-archive:${file}`]);
      const manifest = JSON.parse(stdout);
      assert.equal(manifest.artifactType, 'application/vnd.cooper.cache-mounts.v1');
      assert.equal(manifest.layers[0].annotations['dev.cooper.cache-mount.id'], '/../../two');
      await exec('skopeo', ['copy', '--quiet', `oci-archive:${file}`, `oci:${file}.layout:x`]);
      await exec('umoci', ['stat', '--image', `${file}.layout:x`]);
      await copyFile(file, join(second.directory, 'caches.tar'));
      const taken = await step(second, `${mount('../../two')} cat /c/f`, ['--cache-from', 'type=mounts,src=caches.tar']);
      assert.equal(outputOf(taken), 'two\n');
      // The same content gives the same bytes, and what this store never had stays in the archive.
      const sum = async (): Promise<string> =>
        createHash('sha256')
          .update(await readFile(file))
          .digest('hex');
      const before = await sum();
      await first.ok(['prune', '--force', '--filter', 'id=../../two']);
      await step(first, `${mount('../../two')} true`, [
        '--cache-from',
        `type=mounts,src=${file}`,
        '--cache-to',
        `type=mounts,dest=${file}`,
      ]);
      assert.equal(await sum(), before);
      await step(first, `${mount('new')} echo new >/c/f`, ['--cache-to', `type=mounts,dest=${file},ids=new:../../two`]);
      const both = JSON.parse((await exec('skopeo', ['inspect', '--raw', `oci-archive:${file}`])).stdout);
      const ids = both.layers.map((layer: { annotations: Record<string, string> }) => layer.annotations['dev.cooper.cache-mount.id']);
      assert.deepEqual([...new Set(ids)], ['/../../two', '/new']);
    });

    test('what another user has packed is the same for this one', { skip: modes.some(({ reason }) => reason) }, async () => {
      const other = modes.find(({ name }) => name !== mode.name) ?? mode;
      await using installedFor = await other.install();
      await using packer = await makeCooper(installedFor);
      const ref = `${registry.host}/caches:${mode.name}`;
      await step(packer, `${mount('cross')} ${fill}`, ['--cache-to', `type=mounts,ref=${ref}`]);
      const there = outputOf(await step(packer, `${mount('cross')} ${show}`));
      const taken = await step(second, `${mount('cross')} ${show}`, ['--cache-from', `type=mounts,ref=${ref}`]);
      assert.deepEqual([warnings(taken), outputOf(taken)], [[], there]);
    });

    test('only what a step uses is fetched', async () => {
      const ref = `${registry.host}/caches:lazy`;
      const both = `--mount=type=cache,target=/c,id=l1 --mount=type=cache,target=/d,id=l2 echo 1 >/c/f; echo 2 >/d/f`;
      await step(first, both, ['--cache-to', `type=mounts,ref=${ref}`]);
      const from = ['--cache-from', `type=mounts,ref=${ref}`];
      const blobs = async (): Promise<number> => (await registry.requests()).filter((request) => /GET .*\/caches\//.test(request)).length;
      const before = await blobs();
      await step(second, 'true', from);
      assert.equal(await blobs(), before, 'nothing is asked for a step without caches');
      assert.deepEqual(
        tasks(await step(second, `${mount('l1')} cat /c/f`, from)).filter((id) => id.startsWith('import')),
        ['import cache mount l1'],
      );
      const context = await second.context('anew', { Dockerfile: `FROM ${base}\nRUN ${mount('l2')} test ! -e /c/f\n` });
      await second.built(['--no-cache', ...from, context]);
    });

    test('a cache is never a reason to fail', async () => {
      const missing = await step(second, `${mount('none')} true`, ['--cache-from', `type=mounts,ref=${registry.host}/caches:none`]);
      assert.match(warnings(missing).join(), /no cache mounts in .* yet/);
      const image = await step(second, `${mount('none2')} true`, ['--cache-from', `type=mounts,ref=${base}`]);
      assert.match(warnings(image).join(), /holds no cache mounts/);
      await second.context('bad', { 'bad.tar': 'no archive' });
      const bad = await step(second, `${mount('none3')} true`, ['--cache-from', 'type=mounts,src=bad/bad.tar']);
      assert.match(warnings(bad).join(), /no cache mounts are taken from/);
      const nobody = await step(second, `${mount('none4')} true`, [
        '--cache-from',
        'type=mounts,ref=127.0.0.1:1/x',
        '--cache-from',
        'type=mounts,src=none.tar',
      ]);
      assert.equal(warnings(nobody).length, 2);
    });

    test('an artifact of somebody else stays within the mount', async () => {
      await using canary = await makeCanary(installation);
      const up = '../'.repeat(12);
      const tars: Readonly<Record<string, readonly TarEntry[]>> = {
        'paths-that-lead-out': [
          { name: `${up}${canary.path}/out`, text: 'x' },
          { name: `${canary.path}/abs`, text: 'x' },
        ],
        'a-symlink-to-write-through': [
          { name: 'l', type: 'symlink', linkname: canary.path },
          { name: 'l/file', text: 'x' },
        ],
        'a-mount-that-is-a-symlink': [
          { name: './', type: 'symlink', linkname: canary.path },
          { name: 'file', text: 'x' },
        ],
        'a-hard-link-to-the-machine': [{ name: 'h', type: 'link', linkname: `${up}${canary.path}/file` }],
        'whiteouts-and-devices': [
          { name: '.wh.file', text: '' },
          { name: '.wh..wh..opq', text: '' },
          { name: 'null', type: 'character-device', devmajor: 1, devminor: 3 },
          { name: 'zero', type: 'character-device', devmajor: 0, devminor: 0 },
          { name: 'good', text: 'good' },
        ],
      };
      const mounts = Object.entries(tars).map(async ([id, entries]) => ({ id: `/../../${id}`, tar: await tarOf(...entries) }));
      const file = join(second.directory, 'forged.tar');
      await forgeCache(file, [
        ...(await Promise.all(mounts)),
        { id: '/wrong-diffID', tar: await tarOf({ name: 'f', text: 'x' }), wrong: 'diffID' },
        { id: '/wrong-blob', tar: await tarOf({ name: 'g', text: 'x' }), wrong: 'blob' },
        { id: '/no-tar', tar: Buffer.from('no tar') },
        { id: '/zeros', tar: Buffer.alloc(2 ** 20) },
      ]);
      const from = ['--cache-from', `type=mounts,src=${file}`];
      for (const id of [...Object.keys(tars).map((name) => `../../${name}`), 'wrong-diffID', 'wrong-blob', 'no-tar', 'zeros']) {
        const built = await step(second, `--mount=type=cache,target=/c,id=${id} ls -la /c`, from);
        assert.equal(built.status, 0, id);
        await canary.assertUntouched();
        if (!/^(wrong|no-tar)/.test(id)) continue;
        assert.match(warnings(built).join(), /was not taken from/, id);
        assert.deepEqual(endsOf(built, `import cache mount ${id}`), ['task.failed'], id);
      }
    });

    test('an export that cannot be is one, unless it is not to count; an image is not written over', async () => {
      const context = await first.context('over', { Dockerfile: `FROM ${base}\nRUN ${mount('over')} echo >/c/f\n` });
      const failed = await first.build(['--cache-to', `type=mounts,ref=${base}`, context]);
      assert.deepEqual([failed.status, failed.events.at(-1)?.type], [1, 'build.failed']);
      const ignored = await first.built(['--cache-to', `type=mounts,ref=${base},ignore-error=true`, context]);
      assert.match(warnings(ignored).join(), /were not exported: .* holds no cache mounts/);
      const nowhere = `${first.directory}/none/x.tar`;
      const unwritten = await first.build(['--cache-to', `type=mounts,dest=${nowhere}`, context]);
      assert.equal(unwritten.status, 1);
      assert.deepEqual(endsOf(unwritten, 'export cache mount over'), ['task.completed']);
      assert.deepEqual(endsOf(unwritten, `write cache mounts to "${nowhere}"`), ['task.failed']);
    });

    test('a build that failed leaves its caches where it is told to', async () => {
      const context = await first.context('fails', { Dockerfile: `FROM ${base}\nRUN ${mount('fails')} echo kept >/c/f; false\n` });
      const failed = async (more: string): Promise<Built> => first.build(['--cache-to', `type=mounts,dest=fails.tar${more}`, context]);
      const [without, with_] = [await failed(''), await failed(',on-failure=true')];
      assert.deepEqual([without.status, with_.status], [1, 1]);
      const write = (built: Built): boolean => tasks(built).some((id) => id.startsWith('write cache mounts'));
      assert.deepEqual([write(without), write(with_)], [false, true]);
    });
  });
}
