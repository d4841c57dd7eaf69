import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chown, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { cooperWithBusybox } from '../support/busybox.ts';
import { type Canary, makeCanary } from '../support/canary.ts';
import type { Built, Cooper, Installation } from '../support/cooper.ts';
import { type ForgedMount, forgeCache } from '../support/forged-cache.ts';
import { messageOf, outputOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';
import { tarOf } from '../support/tar.ts';

// Cache mounts that somebody else has packed, or that steps have filled with what nobody wants to pack. Paths and links that lead out:
// cache-mounts.test.ts. A cache is never a reason to fail, so what is wrong is a warning, and the step begins with nothing.

const exec = promisify(execFile);

/** How an artifact may lie; all of them are taken for nothing. */
const lies: readonly NonNullable<ForgedMount['wrong']>[] = ['diffID', 'blob', 'size', 'hugeSize', 'missing', 'twice'];

/** Ids that are paths, or look like those of other mounts. All of them are names and nothing else. */
const ids = ['../../../etc', '..', '.', '/', '/etc/passwd', 'a/../b', 'x\\0y', '-rf', 'facts.tars', '%2e%2e', 'a'.repeat(4000)];

for (const mode of modes) {
  describe(`caches of somebody else as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let installation: Installation;
    let cooper: Cooper;
    let canary: Canary;
    let base: string;
    let number = 0;

    before(async () => {
      cleanup = new AsyncDisposableStack();
      ({ installation, cooper, base } = await cooperWithBusybox(mode, cleanup));
      canary = cleanup.use(await makeCanary(installation));
    });

    after(async () => cleanup?.disposeAsync());
    afterEach(() => canary.assertUntouched());

    async function step(run: string, args: readonly string[] = []): Promise<Built> {
      const context = await cooper.context(`c${++number}`, { Dockerfile: `FROM ${base}\nENV n=${number}\nRUN ${run}\n` });
      return cooper.build([...args, context]);
    }
    const mount = (id: string): string => `--mount=type=cache,target=/c,id=${id}`;
    const from = (file: string): readonly string[] => ['--cache-from', `type=mounts,src=${join(cooper.directory, file)}`];
    const warnings = ({ events }: Built): string =>
      events.flatMap((event) => (event.type === 'warning' && event.rule === undefined ? [event.message] : [])).join('\n');
    /** For the user who runs it. */
    async function give(file: string): Promise<void> {
      const { owner } = installation;
      if (owner) await chown(join(cooper.directory, file), owner.uid, owner.gid);
    }

    test('an artifact that lies is taken for nothing', async () => {
      const tar = await tarOf({ name: 'f', text: 'taken' });
      const mounts = lies.map((wrong): ForgedMount => ({ id: `/${wrong}`, tar: Buffer.concat([tar, Buffer.from(wrong)]), wrong }));
      await forgeCache(join(cooper.directory, 'lies.tar'), mounts);
      await give('lies.tar');
      const uses = lies.map((wrong) => `--mount=type=cache,target=/c/${wrong},id=${wrong}`).join(' ');
      const built = await step(`${uses} cat /c/*/f; true`, from('lies.tar'));
      assert.doesNotMatch(outputOf(built), /taken/);
      for (const wrong of lies) assert.match(warnings(built), new RegExp(`the cache mount "${wrong}" was not taken from`));
    });

    test('an id is a name and nothing else', async () => {
      const mounts = await Promise.all(ids.map(async (id, at) => ({ id: `/${id}`, tar: await tarOf({ name: `f${at}`, text: `${at}` }) })));
      // Of another namespace, and of none.
      const others = ['other/x', 'x', ''].map(async (id) => ({ id, tar: await tarOf({ name: 'foreign', text: 'foreign' }) }));
      await forgeCache(join(cooper.directory, 'ids.tar'), [...mounts, ...(await Promise.all(others))]);
      await give('ids.tar');
      const usable = ids.filter((id) => !/[\\]/.test(id) && id.length < 300);
      const mounted = [...usable, 'x'].map((id, at) => `--mount=type=cache,target=/c/${at},id=${id}`);
      const built = await step(`${mounted.join(' ')} for i in $(seq 0 ${usable.length}); do ls /c/$i; done`, from('ids.tar'));
      assert.equal(outputOf(built), usable.map((id) => `f${ids.indexOf(id)}\n`).join(''), `${messageOf(built)} ${warnings(built)}`);
      const named = await readdir(join(cooper.root, 'mounts'));
      assert.deepEqual(
        named.filter((name) => !/^[0-9a-f]{64}(-\d+)?$/.test(name)),
        [],
      );
    });

    test('an archive that was cut off, wherever', async () => {
      const tars = [await tarOf({ name: 'whole', text: 'x'.repeat(5000) })];
      await forgeCache(join(cooper.directory, 'whole.tar'), [{ id: '/cut', tar: tars[0] ?? Buffer.of() }]);
      const bytes = await readFile(join(cooper.directory, 'whole.tar'));
      const ends = [0, 1, 511, 512, 600, 1024, 1500, 2048, bytes.length - 1600];
      for (const end of ends) await writeFile(join(cooper.directory, `cut${end}.tar`), bytes.subarray(0, end));
      for (const end of ends) await give(`cut${end}.tar`);
      const built = await step(
        `${mount('cut')} ls -A /c`,
        ends.flatMap((end) => from(`cut${end}.tar`)),
      );
      assert.equal(outputOf(built), '', messageOf(built));
      assert.equal(warnings(built).split('\n').length, ends.length, warnings(built));
    });

    test('a file that is none', async () => {
      await exec('mkfifo', [join(cooper.directory, 'pipe.tar')]);
      const places = ['pipe.tar', '.', '../../../../dev/zero'];
      const built = await step(`${mount('none')} ls -A /c; echo ran`, places.flatMap(from));
      assert.equal(outputOf(built), 'ran\n', messageOf(built));
      assert.equal(warnings(built).split('\n').length, places.length, warnings(built));
    });

    test('two builds that bring one mount, while a third one uses it', async () => {
      const files = (name: string) => Array.from({ length: 200 }, (_, at) => ({ name: `${name}/${at}`, text: `${name}${at}` }));
      for (const name of ['a', 'b']) {
        await forgeCache(join(cooper.directory, `${name}.tar`), [{ id: '/both', tar: await tarOf(...files(name)) }]);
        await give(`${name}.tar`);
      }
      const replace = (name: string) => from(`${name}.tar`).map((arg) => arg.replace(/\.tar$/, '.tar,mode=replace'));
      const count = `${mount('both')} ls /c; ls /c/* | wc -l`;
      const uses = `${mount('both')} i=0; while [ $i -lt 50 ]; do ls -R /c >/dev/null; touch /c/a/x 2>/dev/null; i=$((i+1)); done; true`;
      const [first, second, third] = await Promise.all([step(count, replace('a')), step(count, replace('b')), step(uses)]);
      assert.deepEqual([first.status, second.status, third.status], [0, 0, 0], messageOf(first) + messageOf(second) + messageOf(third));
      // One of the two, whole: never some files of each.
      for (const built of [first, second]) assert.match(outputOf(built), /^[ab]\n20[01]\n$/);
    });

    test('what a step leaves in a mount can be exported, or it is said why not', async () => {
      const nasty = [
        'mkfifo /c/pipe',
        'nc -lU /c/socket & sleep 0.1',
        `ln -s ${canary.path} /c/link`,
        'mknod /c/node c 1 3 2>/dev/null',
        'mkdir -p "/c/$(printf "a\\nb\\033[31m")/.wh..wh..opq"',
        'echo x >"/c/-rf *"',
        `f=/c; for i in $(seq 1 60); do f=$f/${'n'.repeat(50)}; done; mkdir -p $f`,
      ];
      const filled = await step(`${mount('nasty')} ${nasty.join('; ')}; kill %1; true`, [
        '--cache-to',
        'type=mounts,dest=nasty.tar,ids=nasty',
      ]);
      assert.equal(filled.status, 0, messageOf(filled));
      const show = `${mount('nasty')} find /c | sort | md5sum; ls -A /c | wc -l`;
      const there = outputOf(await step(show));
      await cooper.ok(['prune', '--force', '--filter', 'id=nasty']);
      const again = await step(show, from('nasty.tar'));
      assert.equal(warnings(again), '');
      // A socket and a node are of no use elsewhere.
      const [, before] = there.trim().split('\n');
      const [, now] = outputOf(again).trim().split('\n');
      assert.ok(Number(before) - Number(now) <= 2 && Number(now) >= 4, `${before} ${now}`);
    });

    test('a terabyte of nothing is not exported', async () => {
      const built = await step(`${mount('holes')} truncate -s 1024G /c/holes`, ['--cache-to', 'type=mounts,dest=holes.tar,ids=holes']);
      assert.match(messageOf(built), /^EXPORT_FAILED: .* are on disk: the rest are holes/);
    });
  });
}
