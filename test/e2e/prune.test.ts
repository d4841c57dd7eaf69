import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { cooperWithBusybox } from '../support/busybox.ts';
import type { Cooper } from '../support/cooper.ts';
import { modes } from '../support/modes.ts';

// What the store holds, and what of it goes: never what an image with a name needs, never what a step uses.

interface Row {
  readonly ID: string;
  readonly Type: string;
  readonly Size: number;
  readonly InUse: boolean;
  readonly Reclaimable: boolean;
}

const rows = (text: string): Row[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

for (const mode of modes) {
  describe(`df and prune as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let cooper: Cooper;
    let base: string;

    before(async () => {
      cleanup = new AsyncDisposableStack();
      ({ cooper, base } = await cooperWithBusybox(mode, cleanup));
    });

    after(async () => cleanup?.disposeAsync());

    const df = async (...filters: string[]): Promise<Row[]> =>
      rows(await cooper.ok(['df', '--format', 'json', ...filters.flatMap((filter) => ['--filter', filter])]));
    /** What the command before has given back is deleted while this one looks: then it looks again. */
    const dfWithoutTrash = async (): Promise<Row[]> => {
      const found = await df();
      return found.some(({ ID }) => ID === 'trash') ? dfWithoutTrash() : found;
    };
    const prune = async (...args: string[]): Promise<string[]> =>
      rows(await cooper.ok(['prune', '--force', '--format', 'json', ...args])).map(({ ID }) => ID);
    const context = (name: string, run: string): Promise<string> => cooper.context(name, { Dockerfile: `FROM ${base}\n${run}\n` });

    test('cache mounts are listed by the ids that the user wrote, and go by them', async () => {
      const fill = (target: string): string =>
        `dd if=/dev/zero of=${target}/x bs=1024 count=64 2>/dev/null; chown 33:33 ${target}/x; chmod 700 ${target}`;
      const mounts = '--mount=type=cache,target=/a --mount=type=cache,target=/b,id=../../b --mount=type=cache,target=/c,id=c,uid=7';
      await cooper.built([await context('mounts', `RUN ${mounts} ${['/a', '/b', '/c'].map(fill).join('; ')}`)]);
      const found = await df('type=exec.cachemount');
      assert.deepEqual(found.map(({ ID }) => ID.replace(/#[0-9a-f]{8}$/, '#')).toSorted(), ['../../b', '/a', 'c#']);
      for (const { Size, Reclaimable } of found) assert.ok(Size >= 64 * 1024 && Size < 128 * 1024 && Reclaimable, `${Size}`);
      assert.deepEqual(await prune('--filter', 'id=../../b', '--filter', 'type=exec.cachemount'), ['../../b']);
      assert.match(await cooper.ok(['prune', '--force', '--filter', 'id=c']), /^ID .*\nc#[0-9a-f]{8} .*\nTotal: /);
      assert.deepEqual(
        (await df('type=exec.cachemount')).map(({ ID }) => ID),
        ['/a'],
      );
      assert.deepEqual(await prune('--filter', 'type=exec.cachemount', '--filter', 'until=1h'), []);
      assert.deepEqual(await prune('--filter', 'type=exec.cachemount', '--max-used-space', '1g'), []);
      assert.deepEqual(await prune('--filter', 'type=exec.cachemount'), ['/a']);
      for (const folder of ['mounts', 'mount-facts', 'trash']) {
        const left = await readdir(join(cooper.root, folder));
        assert.deepEqual(folder === 'trash' ? left.filter((name) => name.length !== 32) : left, [], folder);
      }
    });

    test('images with names stay whole, and all else goes', async () => {
      const named = await context('named', 'RUN echo kept >/kept');
      await cooper.built(['--tag', 'named', named]);
      await cooper.built([await context('other', 'RUN echo gone >/gone')]);
      const before = (await df('type=regular')).filter(({ Reclaimable }) => !Reclaimable).map(({ ID }) => ID);
      assert.ok((await prune('--all')).length > 3);
      const left = await df();
      assert.deepEqual(
        left
          .filter(({ Type }) => Type !== 'internal')
          .map(({ ID }) => ID)
          .toSorted(),
        before.toSorted(),
      );
      assert.equal(await cooper.ok(['run', 'named', 'cat', '/kept']), 'kept\n');
      const archive = join(cooper.directory, 'named.tar');
      await cooper.built(['--tag', 'named', '--output', `type=oci,dest=${archive}`, named]);
      await promisify(execFile)('skopeo', ['copy', '--quiet', `oci-archive:${archive}`, `dir:${archive}.dir`]);
      await cooper.ok(['rmi', 'named', base]);
      await prune('--all');
      assert.deepEqual(await dfWithoutTrash(), []);
      assert.equal((await cooper.built(['--tag', 'named', named])).status, 0);
    });

    test('a step that runs keeps its cache mount, and its build everything', async () => {
      const mount = '--mount=type=cache,target=/c,id=busy';
      await cooper.built([await context('free', 'RUN --mount=type=cache,target=/c,id=free touch /c/f')]);
      const path = await context('busy', `RUN ${mount} mkfifo /c/go; echo "it has" begun; cat /c/go; ls /c`);
      const running = cooper.start(['build', '--progress', 'plain', path]);
      await running.says('it has begun');
      const [busy] = await df('id=busy');
      assert.deepEqual([busy?.InUse, busy?.Reclaimable], [true, false]);
      const { stdout, stderr } = await cooper.run(['prune', '--force', '--all', '--format', 'json']);
      assert.deepEqual(
        rows(stdout)
          .map(({ ID }) => ID)
          .filter((id) => id !== 'trash'),
        ['free'],
      );
      assert.match(stderr, /other commands work with this store/);
      // Another build ends the first: they share the mount.
      await cooper.built([await context('end', `RUN ${mount} echo end >/c/go`)]);
      assert.equal((await running.ended).status, 0);
    });

    test('nothing goes without an answer', async () => {
      await cooper.built([await context('asked', 'RUN --mount=type=cache,target=/c,id=asked true')]);
      const no = await cooper.run(['prune'], { input: '\n' });
      assert.deepEqual([no.status, no.stdout], [1, '']);
      assert.equal((await df('id=asked')).length, 1);
      assert.equal((await cooper.run(['prune'], { input: 'y\n' })).status, 0);
      assert.equal((await df('id=asked')).length, 0);
    });
  });
}
