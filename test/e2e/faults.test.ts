import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxBase, pushBase } from '../support/bases.ts';
import { type Cooper, makeCooper } from '../support/cooper.ts';
import { assertIntact } from '../support/intact.ts';
import { messageOf } from '../support/look.ts';
import { descendants, gone, processesWith } from '../support/processes.ts';
import { type Registry, startRegistry } from '../support/registry.ts';
import { smallDisk } from '../support/small-disk.ts';
import { tool } from '../support/tools.ts';

// The disk is full, or somebody kills cooper or its worker while layers are packed, unpacked and pushed. Nothing half-written is ever taken for whole, and the
// next command works.

const megabyte = 1024 * 1024;

describe('faults', { concurrency: false, skip: process.getuid?.() === 0 ? false : 'only root can mount a disk' }, () => {
  let registry: Registry;
  let base: string;

  before(async () => {
    registry = await startRegistry();
    base = await pushBase(await busyboxBase(), registry, 'busybox');
  });

  after(() => registry?.[Symbol.asyncDispose]());

  /** Pulls, copies and runs; each of them needs some megabytes that don't compress. */
  async function contextOf(cooper: Cooper, steps: readonly string[]): Promise<string> {
    const context = await cooper.context('big', { Dockerfile: [`FROM ${base}`, ...steps, ''].join('\n') });
    await writeFile(join(context, 'file'), randomBytes(4 * megabyte));
    return context;
  }

  const random = (megabytes: number, path: string): string => `RUN head -c ${megabytes * megabyte} /dev/urandom >${path}`;

  // From a disk that has no room for the base to one that has almost enough.
  for (const megabytes of [1, 3, 5, 9, 13, 17, 21, 27]) {
    test(`a disk of ${megabytes} MB is full, and with more room the build works`, async () => {
      await using disk = await smallDisk(megabytes);
      const { cooper } = disk;
      const context = await contextOf(cooper, ['COPY file /file', random(4, '/a'), random(4, '/b'), 'RUN cat /file /a /b | wc -c']);
      const failed = await cooper.build(['-t', 'big', context]);
      assert.notEqual(failed.status, 0, 'there was room for everything');
      assert.match(messageOf(failed), /^(STORE_FAILED: .*no space left on device|RUN_FAILED: )/i, failed.stderr);
      await disk.resize(500);
      await assertIntact(cooper, disk.root);
      await cooper.built(['-t', 'big', context]);
      assert.equal(await cooper.ok(['run', '--rm', 'big', 'sh', '-c', 'cat /file /a /b | wc -c']), `${12 * megabyte}\n`);
    });
  }

  for (const victim of ['cooper', 'its worker'] as const) {
    /** Starts a command and kills it after some milliseconds; whatever of it was left has ended afterwards. */
    async function killAfter(cooper: Cooper, args: readonly string[], milliseconds: number): Promise<void> {
      const running = cooper.start(args);
      await Promise.race([sleep(milliseconds), running.ended]);
      const all = descendants(running.pid);
      const worker = all.find(({ name, parent }) => name === 'cooper-worker' && parent === running.pid);
      const pid = victim === 'cooper' ? running.pid : worker?.pid;
      if (pid !== undefined && running.process.exitCode === null) tryToKill(pid);
      await running.ended;
      await gone(all);
      assert.deepEqual(leftovers(cooper), []);
    }

    test(`kill -9 of ${victim} at any moment of a build: base unpacked, layers packed and compressed`, async () => {
      const time = await timeOf(async (cooper) =>
        cooper.built(['-t', 'big', await contextOf(cooper, ['COPY file /file', random(8, '/a')])]),
      );
      await using cooper = await makeCooper();
      for (let moment = 1; moment <= moments; moment++) {
        // Each time another build, so that none finds what the last one left.
        const context = await contextOf(cooper, [`ENV MOMENT=${moment}`, 'COPY file /file', random(8, '/a'), random(1, '/b')]);
        await killAfter(cooper, ['build', '-q', '-t', 'big', context], (time * moment) / moments);
        await assertIntact(cooper);
        await cooper.built(['-t', 'big', context]);
        assert.equal(await cooper.ok(['run', '--rm', 'big', 'sh', '-c', 'cat /file /a /b | wc -c']), `${13 * megabyte}\n`);
      }
    });

    test(`kill -9 of ${victim} at any moment of a pull and of a push`, async () => {
      await using origin = await makeCooper();
      const names = Array.from({ length: moments }, (_, moment) => `${registry.host}/${victim.replace(' ', '-')}-${moment}:latest`);
      await origin.built(['-t', 'big', await contextOf(origin, ['COPY file /file', random(8, '/a')])]);
      let time = 0;
      for (const [moment, name] of names.entries()) {
        await origin.ok(['tag', 'big', name]);
        if (moment === 0) time = await took(() => origin.ok(['push', name]));
        else await killAfter(origin, ['push', name], (time * moment) / moments);
        // What the registry says that it has, it has: a manifest comes last.
        const pushed = tool('skopeo', [
          'copy',
          '--quiet',
          '--src-tls-verify=false',
          `docker://${name}`,
          `dir:${join(origin.directory, `pushed-${moment}`)}`,
        ]);
        await pushed.catch((error) => assert.match(`${error}`, /manifest unknown|name unknown/i));
        await origin.ok(['push', name]);
        await assertIntact(origin);
        await using puller = await makeCooper();
        await killAfter(puller, ['pull', name], (time * moment) / moments);
        await assertIntact(puller);
        await puller.ok(['pull', name]);
        assert.equal(await puller.ok(['run', '--rm', name, 'sh', '-c', 'cat /file /a | wc -c']), `${12 * megabyte}\n`);
      }
    });

    test(`kill -9 of ${victim} at any moment of a prune`, async () => {
      await using cooper = await makeCooper();
      const lines = ['COPY file /file', random(1, '/a'), 'RUN --mount=type=cache,target=/c head -c 1000000 /dev/urandom >/c/x'];
      const fill = async () => {
        await cooper.built(['-t', 'gone', await contextOf(cooper, ['ENV GONE=1', ...lines])]);
        await cooper.ok(['rmi', 'gone']);
      };
      await fill();
      await cooper.built(['-t', 'kept', await contextOf(cooper, lines)]);
      const time = await took(() => cooper.ok(['prune', '--force', '--all']));
      for (let moment = 1; moment <= moments; moment++) {
        await fill();
        await killAfter(cooper, ['prune', '--force', '--all'], (time * moment) / moments);
        await assertIntact(cooper);
        assert.equal(await cooper.ok(['run', '--rm', 'kept', 'sh', '-c', 'cat /file /a | wc -c']), `${5 * megabyte}\n`);
        await cooper.ok(['prune', '--force', '--all']);
        assert.doesNotMatch(await cooper.ok(['df']), /exec\.cachemount/);
      }
    });
  }

  test('builds, removals and prunes side by side take nothing from each other', async () => {
    await using cooper = await makeCooper();
    const commands = Array.from({ length: 9 }, async (_, index) => {
      if (index % 3 === 2) {
        for (let time = 0; time < 4; time++) await cooper.ok(['prune', '--force', '--all']);
        return;
      }
      for (let time = 0; time < 2; time++) {
        const lines = [
          `FROM ${base}`,
          `RUN echo ${index % 2} ${time} >/same`,
          'RUN --mount=type=cache,target=/c,sharing=locked echo x >>/c/x',
        ];
        const context = await cooper.context(`pruned-${index}-${time}`, { Dockerfile: [...lines, ''].join('\n') });
        await cooper.built(['-t', `pruned-${index}-${time}`, context]);
        // Its layers are another's too, who has them under a name or is about to.
        if (index % 3 === 1) await cooper.ok(['rmi', `pruned-${index}-${time}`]);
      }
    });
    await Promise.all(commands);
    for (const [index, time] of [0, 3, 6].flatMap((index) => [0, 1].map((time) => [index, time] as const)))
      assert.equal(await cooper.ok(['run', '--rm', `pruned-${index}-${time}`, 'cat', '/same']), `${index % 2} ${time}\n`);
    await assertIntact(cooper);
  });

  test('builds side by side in one store, some of them killed, leave nothing', async () => {
    await using cooper = await makeCooper();
    const builds = Array.from({ length: 12 }, async (_, index) => {
      const mark = randomUUID();
      const lines = [
        `FROM ${base}`,
        `RUN echo ${index % 4} >/same`,
        `RUN echo ${mark} >/own`,
        'RUN --mount=type=cache,target=/c echo x >>/c/x',
        'RUN cat /same /own',
      ];
      const context = await cooper.context(`many-${index}`, { Dockerfile: [...lines, ''].join('\n') });
      const running = cooper.start(['build', '-t', `many-${index}`, context]);
      if (index % 3 !== 2) return { index, mark, ended: await running.ended };
      await sleep(index * 100);
      running.process.kill('SIGKILL');
      await running.ended;
      return undefined;
    });
    for (const built of await Promise.all(builds)) {
      if (!built) continue;
      assert.equal(built.ended.status, 0, built.ended.stderr);
      assert.equal(await cooper.ok(['run', '--rm', `many-${built.index}`, 'cat', '/same', '/own']), `${built.index % 4}\n${built.mark}\n`);
    }
    await assertIntact(cooper);
    while (leftovers(cooper).length > 0) await sleep(20);
  });

  /** How long it takes undisturbed, in a store of its own: only to spread the moments. */
  async function timeOf(run: (cooper: Cooper) => Promise<unknown>): Promise<number> {
    await using cooper = await makeCooper();
    return await took(() => run(cooper));
  }
});

const moments = 4;

async function took(run: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await run();
  return performance.now() - begin;
}

/** Processes that know this store: cooper, workers and their helpers, by their environment. */
const leftovers = (cooper: Cooper): string[] => processesWith(`COOPER_ROOT=${cooper.root}`).map(({ pid, name }) => `${pid} ${name}`);

function tryToKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in the meantime: as good.
  }
}
