import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { busyboxBase, pushBase } from '../support/bases.ts';
import { type Cooper, makeCooper, type Running } from '../support/cooper.ts';
import { assertIntact, mountsBelow } from '../support/intact.ts';
import { descendants, gone, type Process, processesWith } from '../support/processes.ts';
import { type Registry, startRegistry } from '../support/registry.ts';

// In the middle of a RUN someone presses Ctrl-C, or kills cooper or its worker. Whatever it is: no process, no mount, no temporary
// file stays, and the next build works.

describe('interruptions', { concurrency: false }, () => {
  let registry: Registry;
  let base: string;

  before(async () => {
    registry = await startRegistry();
    base = await pushBase(await busyboxBase(), registry, 'busybox');
  });

  after(() => registry?.[Symbol.asyncDispose]());

  /** A build that is in its second RUN, and all processes that belong to it. */
  async function inTheMiddle(cooper: Cooper): Promise<{ running: Running; all: Process[]; mark: string; context: string }> {
    const mark = `MARK=${randomUUID()}`;
    const dockerfile = `FROM ${base}\nRUN echo done >/first\nARG MARK\nRUN echo "it has" begun; sleep 100000 & sleep 100000\n`;
    const context = await cooper.context('context', { Dockerfile: dockerfile });
    const running = cooper.start(['build', '--progress', 'plain', `--build-arg=${mark}`, context]);
    await running.says('it has begun');
    const inside = processesWith(mark);
    assert.ok(inside.length > 0, 'the step has processes');
    return { running, all: [...descendants(running.pid), ...inside], mark, context };
  }

  async function assertNothingStays(cooper: Cooper, { all, mark }: { all: readonly Process[]; mark: string }): Promise<void> {
    await gone(all);
    assert.deepEqual(processesWith(mark), []);
    assert.deepEqual(mountsBelow(cooper.directory), []);
    await assertIntact(cooper);
  }

  /** The same Dockerfile up to the step that was interrupted, whose result may or may not have been kept. */
  async function assertGoesOn(cooper: Cooper, context: string): Promise<void> {
    await cooper.context('context', { Dockerfile: `FROM ${base}\nRUN echo done >/first\nRUN cat /first\n` });
    assert.ok((await cooper.built([context])).ran.includes('RUN cat /first'));
  }

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`${signal} in a RUN ends the build with status 130`, async () => {
      await using cooper = await makeCooper();
      const build = await inTheMiddle(cooper);
      const ended = await build.running.stop(signal);
      assert.equal(ended.status, 130, ended.stderr);
      assert.deepEqual(processesWith(build.mark), [], 'the step has ended before the command');
      await assertNothingStays(cooper, build);
      await assertGoesOn(cooper, build.context);
    });
  }

  test('kill -9 of cooper in a RUN leaves nothing', async () => {
    await using cooper = await makeCooper();
    const build = await inTheMiddle(cooper);
    assert.equal((await build.running.stop('SIGKILL')).status, 137);
    await assertNothingStays(cooper, build);
    await assertGoesOn(cooper, build.context);
  });

  test('kill -9 of the worker in a RUN is an error of its own, and leaves nothing', async () => {
    await using cooper = await makeCooper();
    const build = await inTheMiddle(cooper);
    const worker = descendants(build.running.pid).find(({ name, parent }) => name === 'cooper-worker' && parent === build.running.pid);
    assert.ok(worker, 'cooper has a worker');
    process.kill(worker.pid, 'SIGKILL');
    const ended = await build.running.ended;
    assert.equal(ended.status, 125, ended.stderr);
    assert.match(ended.stderr, /\[WORKER_FAILED\]/);
    await assertNothingStays(cooper, build);
    await assertGoesOn(cooper, build.context);
  });

  test('kill -9 of cooper leaves no container of a run', async () => {
    await using cooper = await makeCooper();
    const context = await cooper.context('run', { Dockerfile: `FROM ${base}\nCMD ["sh", "-c", "echo it runs; sleep 100000"]\n` });
    await cooper.built(['-t', 'sleeper', context]);
    const mark = `MARK=${randomUUID()}`;
    const running = cooper.start(['run', '--rm', '-e', mark, 'sleeper']);
    await running.says('it runs');
    const all = [...descendants(running.pid), ...processesWith(mark)];
    await running.stop('SIGKILL');
    await assertNothingStays(cooper, { all, mark });
  });
});
