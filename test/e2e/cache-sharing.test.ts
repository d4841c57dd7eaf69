import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cooperWithBusybox } from '../support/busybox.ts';
import type { Cooper } from '../support/cooper.ts';
import { assertIntact } from '../support/intact.ts';
import { modes } from '../support/modes.ts';

// Two commands at once use one cache mount, as `sharing` says.

for (const mode of modes) {
  describe(`cache mounts of two builds as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let cooper: Cooper;
    let base: string;

    before(async () => {
      cleanup = new AsyncDisposableStack();
      ({ cooper, base } = await cooperWithBusybox(mode, cleanup));
      // Both builds find it here: neither waits for the other's pull.
      await cooper.built([await cooper.context('base', { Dockerfile: `FROM ${base}\nRUN true\n` })]);
    });

    after(async () => cleanup?.disposeAsync());

    /** Starts a build whose step says where it is; it does not wait for anything but its mount. */
    async function start(name: string, sharing: string, script: string) {
      const mounts = `--mount=type=cache,target=/m,id=${sharing},sharing=${sharing} --mount=type=cache,target=/talk,id=talk`;
      const context = await cooper.context(name, { Dockerfile: `FROM ${base}\nRUN ${mounts} ${script}\n` });
      return cooper.start(['build', '--progress', 'plain', context]);
    }

    /** Ends when another worker has the lock's file open and does not hold it: it waits. */
    async function untilSomebodyWaits(running: { readonly pid: number }): Promise<void> {
      const locks = (await readdir(join(cooper.root, 'locks'))).filter((name) => name.startsWith('mount-'));
      const inodes = new Set(await Promise.all(locks.map(async (name) => (await stat(join(cooper.root, 'locks', name))).ino)));
      for (;;) {
        for (const pid of await descendants(running.pid)) {
          // A step that has all of its locks has a container: this one has none, and has opened a second time what the first holds.
          for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
            const found = await stat(`/proc/${pid}/fd/${fd}`).catch(() => undefined);
            if (found && inodes.has(found.ino)) return;
          }
        }
        await sleep(5);
      }
    }

    test('locked: the second waits for the end of the first', async () => {
      const first = await start('locked1', 'locked', 'mkfifo /talk/go; echo "first has" begun; cat /talk/go; echo first >>/m/log');
      await first.says('first has begun');
      const second = await start('locked2', 'locked', 'echo "second has" begun; cat /m/log; echo second >>/m/log');
      await untilSomebodyWaits(second);
      const go = await start('locked3', 'shared', 'echo go >/talk/go');
      assert.equal((await go.ended).status, 0);
      assert.equal((await first.ended).status, 0);
      const ended = await second.ended;
      // It has seen all that the first one wrote.
      assert.match(ended.stderr, /second has begun\n(#\d+ [\d.]+ )?first/);
    });

    test('shared: both are in it at once', async () => {
      const first = await start('shared1', 'shared', 'mkfifo /m/a /m/b; echo "first has" begun; cat /m/a; echo back >/m/b');
      await first.says('first has begun');
      const second = await start('shared2', 'shared', 'echo there >/m/a; cat /m/b');
      assert.deepEqual([(await first.ended).status, (await second.ended).status], [0, 0]);
    });

    test('private: each has its own, and they are used again', async () => {
      const first = await start('private1', 'private', 'mkfifo /talk/p; echo 1 >/m/one; echo "first has" begun; cat /talk/p; ls /m');
      await first.says('first has begun');
      const second = await start('private2', 'private', 'ls /m; test ! -e /m/one && touch /m/two && echo go >/talk/p');
      assert.equal((await second.ended).status, 0);
      const { status, stderr } = await first.ended;
      assert.equal(status, 0);
      assert.doesNotMatch(stderr, / two\n/);
      const alone = await start('private3', 'private', 'ls /m');
      assert.match((await alone.ended).stderr, / one\n/);
    });

    test('a kill in a step leaves what the program wrote, and facts that are whole', async () => {
      const running = await start('killed', 'shared', 'echo half >/m/half; echo "it has" begun; sleep 100000');
      await running.says('it has begun');
      await running.stop('SIGKILL');
      await assertIntact(cooper);
      const again = await start('again', 'shared', 'cat /m/half');
      assert.match((await again.ended).stderr, / half\n/);
    });

    test('torn facts name nothing, until the mount is used again', async () => {
      const folder = join(cooper.root, 'mount-facts');
      for (const name of await readdir(folder)) {
        const whole = await readFile(join(folder, name));
        await writeFile(join(folder, name), whole.subarray(0, whole.length - 3));
      }
      assert.doesNotMatch(await cooper.ok(['df', '--filter', 'type=exec.cachemount']), /talk/);
      assert.equal((await (await start('mends', 'shared', 'echo mended')).ended).status, 0);
      assert.match(await cooper.ok(['df', '--filter', 'type=exec.cachemount']), /^talk /m);
    });
  });
}

/** A process and all that it has started, by /proc. */
async function descendants(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const below = await Promise.all(children.split(' ').filter(Boolean).map(Number).map(descendants));
  return [pid, ...below.flat()];
}
