import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxBase, pushBase } from '../support/bases.ts';
import { type Cooper, makeCooper, type Running } from '../support/cooper.ts';
import { assertIntact, mountsBelow } from '../support/intact.ts';
import { look } from '../support/look.ts';
import { descendants, gone, processesWith } from '../support/processes.ts';
import { type Registry, startRegistry } from '../support/registry.ts';

// Steps that behave badly, and ends that come at a bad time.

describe('robustness', { concurrency: false }, () => {
  let registry: Registry;
  let base: string;

  before(async () => {
    registry = await startRegistry();
    base = await pushBase(await busyboxBase(), registry, 'busybox');
  });

  after(() => registry?.[Symbol.asyncDispose]());

  /** Nothing of a command that is gone is there, and the next one works. */
  async function assertNothingStays(cooper: Cooper, all: ReturnType<typeof descendants>, mark?: string): Promise<void> {
    await gone(all);
    if (mark) assert.deepEqual(processesWith(mark), []);
    assert.deepEqual(mountsBelow(cooper.directory), []);
    await assertIntact(cooper);
  }

  for (const { name, script, prints } of [
    { name: 'leaves processes in the background', script: 'sleep 100000 & (setsid sleep 100000 &) ; echo done', prints: /^done\n$/ },
    { name: 'leaves one that holds its output', script: 'sh -c "trap : TERM INT HUP; sleep 100000" & echo done', prints: /^done\n$/ },
    { name: 'closes its output and goes on', script: 'echo first; exec >&- 2>&-; sleep 0.2; true', prints: /^first\n$/ },
    {
      name: 'removes 10,000 files',
      script: 'mkdir /d; cd /d; seq 10000 | xargs touch; cd /; rm -r /d; ls /d 2>/dev/null | wc -l',
      prints: /^0\n$/,
    },
  ]) {
    test(`a step that ${name}`, async () => {
      await using cooper = await makeCooper();
      assert.match(await look(cooper, base, script), prints);
      await assertIntact(cooper);
    });
  }

  for (const { name, script } of [
    { name: '200 MB of output', script: 'yes "0123456789 0123456789 0123456789 0123456789 012345678" | head -c 200000000' },
    { name: 'one line of 64 MB', script: 'head -c 64000000 /dev/zero | tr "\\\\000" x' },
  ]) {
    test(`a step with ${name} ends, and cooper stays small`, async () => {
      await using cooper = await makeCooper();
      const context = await cooper.context('loud', { Dockerfile: `FROM ${base}\nRUN ${script}; echo; echo the end\n` });
      const running = cooper.start(['build', '--progress', 'plain', context]);
      let largest = 0;
      let over = false;
      void running.ended.then(() => {
        over = true;
      });
      while (!over) {
        largest = Math.max(largest, ...[running.pid, ...descendants(running.pid).map(({ pid }) => pid)].map(residentMiB));
        await sleep(50);
      }
      const { status, stderr } = await running.ended;
      assert.equal(status, 0, stderr.slice(-2000));
      assert.match(stderr.slice(-10_000), /the end/);
      assert.ok(largest < 700, `${largest} MiB`);
    });
  }

  test('what a step prints cannot move the cursor, or change the title of a terminal', async () => {
    await using cooper = await makeCooper();
    const script = 'printf "a\\033[2Jb\\033[10;10Hc\\033]0;title\\007d\\rE\\bF\\033[31mred\\033[0m\\033c\\0330\\n"';
    const context = await cooper.context('escapes', { Dockerfile: `FROM ${base}\nRUN ${script}\n` });
    const { stderr } = await cooper.run(['build', '--progress', 'plain', context]);
    const output = stderr.split('\n').filter((line) => /^#\d+ \d/.test(line));
    assert.ok(output.length > 0, stderr);
    for (const line of output) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
      assert.doesNotMatch(line.replaceAll(/\u001b\[[0-9;]*m/g, ''), /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
    }
  });

  async function inside(cooper: Cooper, script: string): Promise<{ running: Running; mark: string }> {
    const mark = `MARK=${randomUUID()}`;
    const context = await cooper.context('inside', { Dockerfile: `FROM ${base}\nARG MARK\nRUN ${script}\n` });
    const running = cooper.start(['build', '--progress', 'plain', `--build-arg=${mark}`, context]);
    await running.says(' it has begun');
    return { running, mark };
  }

  for (const { name, script } of [
    { name: 'a step that ignores SIGTERM', script: 'trap "" TERM INT HUP; echo it has begun; while true; do sleep 1; done' },
    // Bounded by its depth, should the end not come: 2^9 processes.
    {
      name: 'a fork bomb',
      script: "printf '[ $1 = 0 ] || { sh /bomb $(($1-1)) & sh /bomb $(($1-1)) & }; sleep 60' >/bomb; echo it has begun; sh /bomb 8; wait",
    },
  ]) {
    test(`Ctrl-C ends ${name}`, async () => {
      await using cooper = await makeCooper();
      const { running, mark } = await inside(cooper, script);
      const all = [...descendants(running.pid), ...processesWith(mark)];
      const ended = await running.stop('SIGINT');
      assert.equal(ended.status, 130, ended.stderr);
      await assertNothingStays(cooper, all, mark);
    });
  }

  /** Each waits until the store shows that it is at work there. */
  const phases: readonly { name: string; dockerfile: string; begun: (root: string) => boolean }[] = [
    { name: 'a COPY of many files', dockerfile: 'FROM scratch\nCOPY many /many\n', begun: (root) => temporary(root).length > 0 },
    {
      name: 'the packing of a layer',
      dockerfile: 'FROM BASE\nRUN head -c 60000000 /dev/urandom >/big; echo it has begun\n',
      begun: (root) => temporary(root).some((name) => name.startsWith('snapshot')),
    },
    { name: 'a pull', dockerfile: 'FROM BASE\nRUN true\n', begun: (root) => temporary(root).length > 0 },
  ];

  for (const { name, dockerfile, begun } of phases) {
    for (const how of ['SIGINT', 'SIGKILL', 'SIGKILL of the worker'] as const) {
      test(`${how} in ${name} leaves nothing`, async () => {
        await using cooper = await makeCooper();
        const context = await cooper.context('phase', { Dockerfile: dockerfile.replace('BASE', base) });
        await many(join(context, 'many'));
        const running = cooper.start(['build', '--progress', 'plain', context]);
        let over = false;
        void running.ended.then(() => {
          over = true;
        });
        while (!over && !begun(cooper.root)) await sleep(2);
        if (dockerfile.includes('it has begun')) await running.says(' it has begun').catch(() => {});
        const all = descendants(running.pid);
        const worker = all.find(({ name, parent }) => name === 'cooper-worker' && parent === running.pid);
        if (how === 'SIGKILL of the worker' && worker) process.kill(worker.pid, 'SIGKILL');
        if (how !== 'SIGKILL of the worker') running.process.kill(how);
        const { status, stderr } = await running.ended;
        // It may have been done already: then that is fine too.
        const want = { SIGINT: 130, SIGKILL: 137, 'SIGKILL of the worker': 125 }[how];
        assert.ok(status === want || status === 0, `${status}: ${stderr}`);
        await assertNothingStays(cooper, all);
        assert.equal((await cooper.build([context])).status, 0);
      });
    }
  }
});

async function many(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (let at = 0; at < 3000; at++) await writeFile(join(folder, `file-${at}`), `${at}\n`.repeat(100));
}

/** Names in the folders of all leases. */
function temporary(root: string): string[] {
  const folder = join(root, 'tmp');
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((lease) => {
    try {
      return readdirSync(join(folder, lease));
    } catch {
      return []; // Gone in the meantime.
    }
  });
}

function residentMiB(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+) kB/m)?.[1] ?? 0) / 1024;
  } catch {
    return 0; // It has ended.
  }
}
