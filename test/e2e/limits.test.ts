import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cooperWithBusybox } from '../support/busybox.ts';
import { cgroupsWith, isVersion1, makeMemoryGroup } from '../support/cgroups.ts';
import { type Built, type Cooper, type Installation, makeCooper } from '../support/cooper.ts';
import { assertIntact } from '../support/intact.ts';
import { attempt, compileProbe, look, messageOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';
import { descendants, gone, processesWith } from '../support/processes.ts';

// What a RUN may use: limits of docker's command line, and what is said when memory is used up.

const mebibyte = 1024 ** 2;

/** Files of a container's own cgroup, which it sees as the root. Source: the kernel's cgroup-v1/ and cgroup-v2.rst. */
const file = (controller: string, v1: string, v2: string): string =>
  isVersion1 ? `cat /sys/fs/cgroup/${controller}/${v1}` : `cat /sys/fs/cgroup/${v2}`;

/** With a cgroup: root only, unless the machine delegates controllers to users. */
const limits = [
  { args: ['--memory', '64m'], script: file('memory', 'memory.limit_in_bytes', 'memory.max'), want: `${64 * mebibyte}\n` },
  {
    args: ['--cpus', '0.5'],
    script: file('cpu', 'cpu.cfs_quota_us', 'cpu.max'),
    want: isVersion1 ? '50000\n' : '50000 100000\n',
  },
  { args: ['--cpu-shares', '2'], script: file('cpu', 'cpu.shares', 'cpu.weight'), want: isVersion1 ? '2\n' : '1\n' },
  { args: ['--cpuset-cpus', '0'], script: 'grep Cpus_allowed_list /proc/self/status', want: 'Cpus_allowed_list:\t0\n' },
];

/** By the kernel's limits of processes, and by mounts: everywhere. */
const others = [
  { args: ['--shm-size', '2m'], script: 'df -k /dev/shm | tail -n1 | awk "{print \\$2}"', want: '2048\n' },
  { args: [], script: 'df -k /dev/shm | tail -n1 | awk "{print \\$2}"', want: '65536\n' },
  { args: ['--ulimit', 'nofile=100:200'], script: 'ulimit -n; ulimit -Hn', want: '100\n200\n' },
  {
    args: ['--ulimit', 'core=0', '--ulimit', 'nproc=100:200'],
    script: 'ulimit -c; grep processes /proc/self/limits | tr -s " "',
    want: '0\nMax processes 100 200 processes \n',
  },
  { args: [], script: 'ulimit -n', want: '1024\n' },
];

for (const mode of modes) {
  describe(`limits as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let installation: Installation;
    let cooper: Cooper;
    let base: string;

    before(async () => {
      cleanup = new AsyncDisposableStack();
      ({ installation, cooper, base } = await cooperWithBusybox(mode, cleanup));
      await compileProbe(cooper);
    });

    after(async () => cleanup?.disposeAsync());

    for (const { args, script, want } of others) {
      test(`${args.join(' ') || 'by default'}: ${script}`, async () => assert.equal(await look(cooper, base, script, { args }), want));
    }

    test('a limit that cannot be had is an error that says so', async () => {
      const built = await attempt(cooper, base, 'true', { args: ['--ulimit', 'nofile=999999999999'] });
      assert.match(messageOf(built), /^LIMIT_UNAVAILABLE: the limit "nofile=999999999999:999999999999" cannot be set here/);
    });

    test('so few open files that nothing can start is an error that says so', {
      skip: mode.name !== 'root' && 'it starts there',
    }, async () => {
      const built = await attempt(cooper, base, 'true', { args: ['--ulimit', 'nofile=1'] });
      assert.match(messageOf(built), /^LIMIT_UNAVAILABLE: the limit "nofile" leaves no descriptor/);
    });

    test('a cgroup of the machine is not there to write to', async () => {
      const script = 'cd /sys/fs/cgroup; for each in . */; do mkdir $each/x 2>/dev/null && echo $each; done; ls | wc -l';
      assert.match(await look(cooper, base, script), /^[1-9]\d*\n$/);
    });

    test('a program that crashes is reported with the name of its signal', async () => {
      const before = ['COPY probe /probe'];
      const crashed = await attempt(cooper, base, 'exec /probe crash', { before });
      assert.match(messageOf(crashed), /^RUN_FAILED: .* was ended by signal 11 \(SIGSEGV\)$/s);
      const child = await attempt(cooper, base, '/probe crash; exit $?', { before });
      assert.match(messageOf(child), /^RUN_FAILED: .* ended with exit status 139$/s);
      assert.equal(hintOf(child), 'exit status 139: a program was ended by SIGSEGV');
    });

    for (const { name, script, status } of [
      { name: 'the program itself', script: 'exec tail /dev/zero', status: /signal 9 \(SIGKILL\)/ },
      { name: 'a child, and the shell ends with something else', script: 'tail /dev/zero; exit 3', status: /exit status 3/ },
    ]) {
      test(`without a limit the killing is seen: ${name}`, async () => {
        await using group = makeMemoryGroup(`cooper-test-${randomUUID()}`, 400 * mebibyte);
        const [program, ...rest] = installation.command;
        const inside = ['sh', '-c', `echo $$ >${group.procs} && exec "$@"`, 'sh', program, ...rest] as const;
        await using limited = await makeCooper({ ...installation, command: inside });
        const built = await attempt(limited, base, script);
        assert.match(messageOf(built), /^OUT_OF_MEMORY: \[2\/2\] .* ran out of memory/s);
        assert.match(messageOf(built), status);
        assert.match(messageOf(built), / had no memory left; the largest /);
      });
    }

    if (mode.name === 'rootless') {
      test('without a delegated cgroup a limit is refused, and said why', { skip: !isVersion1 && 'the machine may delegate' }, async () => {
        const built = await attempt(cooper, base, 'true', { args: ['--memory', '64m'] });
        assert.match(messageOf(built), /^LIMIT_UNAVAILABLE: the limit cannot be set here: "\/sys\/fs\/cgroup\/memory.*" cannot be written/);
        assert.match(hintOf(built), /systemd-run --user --scope -p Delegate=yes/);
      });
      return;
    }

    for (const { args, script, want } of limits) {
      test(args.join(' '), async () => assert.equal(await look(cooper, base, script, { args }), want));
    }

    test('processors that are not there are refused, and those that are are named', async () => {
      const built = await attempt(cooper, base, 'true', { args: ['--cpuset-cpus', '4000'] });
      assert.match(messageOf(built), /^LIMIT_UNAVAILABLE: the limit cannot be set here: .*cpuset.cpus/);
      assert.match(hintOf(built), /^name processors that cooper itself may run on: 0/);
    });

    test('of these ulimits and /dev/shm are part of what a step is, the others are not', async () => {
      const context = await cooper.context('key', { Dockerfile: `FROM ${base}\nRUN echo ${randomUUID()}\n` });
      const isCached = async (...args: string[]) => (await cooper.built([...args, context])).ran.length === 0;
      const all = [];
      for (const args of [
        [],
        [],
        ['--memory', '64m', '--cpus', '1'],
        ['--ulimit', 'core=0'],
        ['--ulimit', 'core=0', '-m', '1g'],
        ['--shm-size', '1m'],
      ])
        all.push(await isCached(...args));
      assert.deepEqual(all, [false, true, true, false, true, false]);
    });

    for (const { name, script, status } of [
      { name: 'the program itself', script: 'exec tail /dev/zero', status: 'signal 9 (SIGKILL)' },
      { name: 'a child, of which the shell tells', script: 'tail /dev/zero; exit $?', status: 'exit status 137' },
      { name: 'a child, of which nobody tells', script: 'tail /dev/zero; exit 3', status: 'exit status 3' },
      { name: 'something in the background', script: 'tail /dev/zero & wait $!; exit 1', status: 'exit status 1' },
    ]) {
      test(`out of memory: ${name}`, async () => {
        const built = await attempt(cooper, base, script, { args: ['--memory', '32m', '--memory-swap', '32m'] });
        const used = 'it used 32.0 MiB, and "--memory" allows 32.0 MiB';
        assert.ok(messageOf(built).startsWith('OUT_OF_MEMORY: [2/2] '), messageOf(built));
        assert.ok(messageOf(built).endsWith(` ran out of memory (${status}): a process of it was killed; ${used}`), messageOf(built));
        assert.match(hintOf(built), /--memory/);
      });
    }

    test('out of memory, and the step ends well: a warning', async () => {
      const built = await attempt(cooper, base, 'tail /dev/zero; true', { args: ['--memory', '32m'] });
      assert.equal(built.status, 0);
      const warnings = built.events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
      assert.ok(
        warnings.some((each) => /^\[2\/2\] ended well, but a process of it was killed/.test(each)),
        warnings.join('\n'),
      );
    });

    test('a step that fails with memory to spare is not said to be short of it', async () => {
      const built = await attempt(cooper, base, 'sh -c "kill -KILL \\$\\$"; exit $?', { args: ['--memory', '64m'] });
      assert.match(messageOf(built), /^RUN_FAILED: .* ended with exit status 137$/s);
    });

    test('of cooper run: a parent that is made, processes that cannot be', async () => {
      const name = `cooper-test-${randomUUID()}`;
      await attempt(cooper, base, 'true', { args: ['-t', 'box'] });
      const run = async (...args: string[]) => cooper.run(['run', '--network', 'none', ...args]);
      const script = `${file('pids', 'pids.max', 'pids.max')}; for i in 1 2 3 4 5 6 7 8; do sleep 0.1 & done`;
      const ended = await run('--cgroup-parent', `/${name}/inner`, '--pids-limit', '6', 'box', 'sh', '-c', script);
      assert.match(ended.stdout, /^6\n/);
      assert.match(ended.stderr, /can't fork/);
      assert.deepEqual(cgroupsWith(name), []);
      const killed = await run('--memory', '32m', 'box', 'tail', '/dev/zero');
      assert.equal(killed.status, 137);
      assert.match(killed.stderr, /^warning: the container ran out of memory: /m);
    });

    test('no cgroup stays, also after a kill', async () => {
      const mark = `MARK=${randomUUID()}`;
      await using own = await makeCooper(installation);
      const dockerfile = `FROM ${base}\nARG MARK\nRUN echo "it has" begun; sleep 100000 & sleep 100000\n`;
      const context = await own.context('context', { Dockerfile: dockerfile });
      const running = own.start(['build', '--progress', 'plain', `--build-arg=${mark}`, '--memory', '64m', '--cpus', '1', context]);
      await running.says('it has begun');
      const [lease = ''] = readdirSync(join(own.root, 'leases'));
      assert.ok(cgroupsWith(lease).length > 0, 'it has a cgroup');
      const all = [...descendants(running.pid), ...processesWith(mark)];
      // All at once: nobody is left who could clean up.
      for (const { pid } of all) killNow(pid);
      await running.stop('SIGKILL');
      await gone(all);
      assert.ok(cgroupsWith(lease).length > 0, 'nobody has removed it');
      await own.built(['--memory', '64m', await own.context('next', { Dockerfile: `FROM ${base}\nRUN true\n` })]);
      await assertIntact(own);
      assert.deepEqual(
        cgroupsWith('cooper-').filter((path) => path.includes(lease)),
        [],
      );
      for (const name of readdirSync(join(own.root, 'leases'))) assert.deepEqual(cgroupsWith(name), []);
    });
  });
}

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended with another that was killed before.
  }
}

function hintOf({ events }: Built): string {
  const failed = events.find((event) => event.type === 'build.failed');
  return failed?.hint ?? '';
}
