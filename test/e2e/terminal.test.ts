import assert from 'node:assert/strict';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cooperWithBusybox } from '../support/busybox.ts';
import { makeCanary } from '../support/canary.ts';
import type { Cooper, Installation } from '../support/cooper.ts';
import { modes } from '../support/modes.ts';
import { descendants, gone, type Process } from '../support/processes.ts';
import { TerminalSession } from '../support/terminal.ts';

// `cooper run -it` at a real terminal, which script(1) makes; and what -i and -t are without one.

const interactive = 'cooper run --network none -it box';

for (const mode of modes) {
  describe(`a terminal as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let installation: Installation;
    let cooper: Cooper;

    before(async () => {
      cleanup = new AsyncDisposableStack();
      const made = await cooperWithBusybox(mode, cleanup);
      ({ installation, cooper } = made);
      await cooper.built(['-t', 'box', await cooper.context('box', { Dockerfile: `FROM ${made.base}\nENV PS1="ready> "\n` })]);
    });

    after(async () => cleanup?.disposeAsync());

    const open = (script: string) => new TerminalSession(installation, cooper.root, script);

    test('a shell has one of its own size, jobs, and its own exit status', async () => {
      await using session = open(`${interactive} sh`);
      await session.shows(/ready> /);
      session.type('tty; stty size; echo to it >/dev/tty; echo to the console >/dev/console\r');
      await session.shows(/\n\/dev\/pts\/0\n33 101\nto it\nto the console\n/);
      // The words are put together by the shell, so that what was typed is not taken for them.
      session.type(`sh -c 'echo "it "runs; exec sleep 100000'\r`);
      await session.shows(/\nit runs\n/);
      session.type('\x03');
      await session.shows(/\^C\n.*ready> /);
      session.type('echo "st"opped $?\r');
      await session.shows(/\nstopped 130\n/);
      session.type(`sh -c 'echo "and "again; exec sleep 100000'\r`);
      await session.shows(/\nand again\n/);
      session.type('\x1a');
      await session.shows(/\[1\]\+ +Stopped/);
      session.type('kill -9 %1; exec sh -c "exit 7"\r');
      assert.equal(await session.ended(), 7);
    });

    test('every byte passes as it is, in both directions', async () => {
      await using session = open(`${interactive} sh -c 'stty raw -echo; echo ready; head -c 6 | od -An -tx1; printf "a\\nb"'`);
      await session.shows(/ready/);
      session.type('\x03\x1a\x04\r\n\x7f');
      assert.equal(await session.ended(), 0);
      assert.match(session.output, / 03 1a 04 0d 0a 7f/);
      // Raw output: the second letter stands below the first one's right, not at the left.
      assert.match(session.output, /a\nb/);
    });

    test('it follows the size of the user’s', async () => {
      const loop = 'stty size; trap "stty size; exit 5" WINCH; echo ready; while :; do sleep 0.05; done';
      await using session = open(
        `mkfifo ${cooper.directory}/go; (read x <${cooper.directory}/go; stty rows 44 cols 120 </dev/tty) & ${interactive} sh -c '${loop}'`,
      );
      await session.shows(/33 101\nready\n/);
      await writeFile(join(cooper.directory, 'go'), '\n');
      assert.equal(await session.ended(), 5);
      assert.match(session.output, /44 120/);
    });

    for (const { name, command, end } of [
      { name: 'the end of the program', command: 'true', end: async () => {} },
      { name: 'a program that is not there', command: 'not-there', end: async () => {} },
      {
        name: 'the death of the worker',
        command: 'sh -c "echo ready; sleep 100000"',
        end: async (session: TerminalSession) => {
          await session.shows(/ready/);
          for (const { pid } of workersOf(session.pid)) kill(pid);
        },
      },
      {
        name: 'a signal that cooper passes on',
        command: 'sh -c "trap \\"exit 3\\" TERM; echo ready; while :; do sleep 0.05; done"',
        end: async (session: TerminalSession) => {
          await session.shows(/ready/);
          const workers = workersOf(session.pid);
          // Who started the first of them.
          for (const { parent } of workers) if (!workers.some(({ pid }) => pid === parent)) kill(parent, 'SIGTERM');
        },
      },
    ]) {
      test(`the user's terminal is as it was after ${name}`, async () => {
        const [before, during] = [join(cooper.directory, 'before'), join(cooper.directory, 'after')];
        await using session = open(
          `stty -a >${before}; ${interactive} ${command}; stty -a >${during}; cmp ${before} ${during} && echo "the "same`,
        );
        await end(session);
        await session.ended();
        assert.match(session.output, /the same\n$/);
      });
    }

    test('-t without a terminal is one of the usual size, -it is an error', async () => {
      const run = (...args: string[]) => cooper.run(['run', '--network', 'none', ...args]);
      assert.equal((await run('-t', 'box', 'sh', '-c', 'tty; stty size')).stdout, '/dev/pts/0\r\n24 80\r\n');
      const { status, stderr } = await run('-it', 'box', 'true');
      assert.equal(status, 2);
      assert.match(stderr, /standard input is not a terminal, so the program cannot have it as one \[ARG_INVALID\]/);
    });

    test('-i passes standard input on, and without it there is none', async () => {
      const run = (...args: string[]) =>
        cooper.run(['run', '--network', 'none', ...args], { input: `${'0123456789\n'.repeat(200_000)}end` });
      assert.match((await run('-i', 'box', 'sh', '-c', 'wc -c; readlink /proc/self/fd/0')).stdout, /^2200003\npipe:/);
      assert.match((await run('box', 'sh', '-c', 'wc -c; readlink /proc/self/fd/0')).stdout, /^0\n\/dev\/null\n$/);
      // A program that reads nothing ends all the same.
      assert.equal((await run('-i', 'box', 'true')).status, 0);
    });

    for (const signal of ['HUP', 'INT', 'QUIT', 'TERM', 'USR1', 'USR2', 'WINCH'] as const) {
      test(`SIG${signal} is passed on`, async () => {
        const script = `trap "echo got ${signal}; exit 9" ${signal}; echo ready; while :; do sleep 0.05; done`;
        const running = cooper.start(['run', '--network', 'none', 'box', 'sh', '-c', script]);
        await running.says('ready');
        kill(running.pid, `SIG${signal}`);
        const { status, stdout } = await running.ended;
        assert.deepEqual({ status, stdout }, { status: 9, stdout: `ready\ngot ${signal}\n` });
      });
    }

    test('a program that goes on when its terminal is gone is ended', async () => {
      const session = open(`${interactive} sh -c 'trap "" HUP INT TERM; echo ready; while :; do sleep 1; done'`);
      await session.shows(/ready/);
      const all = descendants(session.pid);
      assert.ok(workersOf(session.pid).length > 0);
      await session[Symbol.asyncDispose]();
      await gone(all);
    });

    test('an image with other things at /dev/console and /dev/pts gets its terminal all the same', async () => {
      await using canary = await makeCanary(installation);
      const context = await cooper.context('hostile', { Dockerfile: 'FROM box\nCOPY dev /dev\n', 'dev/pts/0': 'x', 'dev/pts/ptmx': 'x' });
      await symlink(canary.path, join(context, 'dev/console'));
      await symlink('/proc/sys/kernel/core_pattern', join(context, 'dev/tty'));
      await cooper.built(['-t', 'hostile', context]);
      const script =
        'for each in console tty pts/0; do test -c /dev/$each && test ! -L /dev/$each && echo $each; done; echo x >/dev/console';
      assert.equal(
        (await cooper.run(['run', '--network', 'none', '-t', 'hostile', 'sh', '-c', script])).stdout,
        'console\r\ntty\r\npts/0\r\nx\r\n',
      );
      await canary.assertUntouched();
    });
  });
}

const workersOf = (pid: number): Process[] => descendants(pid).filter(({ name }) => name === 'cooper-worker');

function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended with its parent.
  }
}
