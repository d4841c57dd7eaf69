// `npm run stress [-- interrupted=1000 parallel=100 steps=10000]`: what the suite does with small numbers, with large ones. Says what is left on the machine
// afterwards: processes, mounts, cgroups, network interfaces, temporary files. Run it where nothing else runs cooper. As root, or `sudo -u USER`.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import { processes, processesWith } from './support/processes.ts';

const counts = { interrupted: 1000, parallel: 100, steps: 10_000 };
if (process.argv.length > 2) for (const name of ['interrupted', 'parallel', 'steps'] as const) counts[name] = 0;
for (const argument of process.argv.slice(2)) {
  const [, name, count] = argument.match(/^(interrupted|parallel|steps)=(\d+)$/) ?? [];
  if (!name) throw new Error(`"${argument}" is none of interrupted=N, parallel=N, steps=N`);
  counts[name as keyof typeof counts] = Number(count);
}

const directory = mkdtempSync(join(tmpdir(), 'cooper-stress-'));
const root = join(directory, 'store');
const cooper = join(import.meta.dirname, '../bin/cooper');
/** A static busybox is all that the steps need. */
const base = ['FROM scratch', 'COPY busybox /bin/busybox', 'COPY busybox /bin/sh'];

function context(name: string, lines: readonly string[]): string {
  const path = join(directory, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'busybox'), readFileSync('/bin/busybox'), { mode: 0o755 });
  writeFileSync(join(path, 'Dockerfile'), `${[...base, ...lines].join('\n')}\n`);
  return path;
}

interface Ended {
  readonly status: number | null;
  readonly said: string;
}

/** What a build shows when it is at one of its own moments: a step begins, has ended, the image is stored. */
const moments: readonly RegExp[] = [
  /#1 /,
  /FROM scratch[\s\S]*DONE/,
  /COPY/,
  /RUN echo/,
  /RUN busybox head/,
  /RUN --mount/,
  /sleep 0\.2/,
  /built sha256/,
];

/** Builds; kills the command if asked to: every third time its worker, every third time by an interrupt. */
async function build(path: string, kill?: { readonly when: RegExp | number; readonly turn: number }): Promise<Ended> {
  const child = spawn(cooper, ['build', '--progress', 'plain', path], {
    env: { ...process.env, COOPER_ROOT: root },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  const shown = Promise.withResolvers<void>();
  child.stderr.on('data', (text) => {
    said = `${said}${text}`.slice(-4000);
    if (kill?.when instanceof RegExp && kill.when.test(said)) shown.resolve();
  });
  const ended = once(child, 'close');
  if (kill) {
    await Promise.race([typeof kill.when === 'number' ? sleep(kill.when) : shown.promise, ended]);
    const worker = processes().find(({ name, parent }) => name === 'cooper-worker' && parent === child.pid);
    const victim = kill.turn % 3 === 0 ? worker?.pid : child.pid;
    try {
      if (victim !== undefined && child.exitCode === null) process.kill(victim, kill.turn % 3 === 2 ? 'SIGINT' : 'SIGKILL');
    } catch {
      // It has just ended by itself.
    }
  }
  await ended;
  return { status: child.exitCode, said };
}

/** What of ours there is on this machine: processes of this store, and those that have lost their parents. */
function traces(): string[] {
  const names = /^(cooper|slirp4netns|pasta|fuse-overlayfs)/;
  const orphans = processes().filter(({ name, parent }) => parent === 1 && names.test(name));
  return [
    ...[...orphans, ...processesWith(`COOPER_ROOT=${root}`)].map(({ pid, name }) => `process ${pid} ${name}`),
    ...readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(directory))
      .map((line) => `mount ${line}`),
    ...Object.keys(networkInterfaces()).map((name) => `interface ${name}`),
    ...cgroups('/sys/fs/cgroup').filter((path) => path.includes('/cooper')),
  ];
}

function cgroups(path: string): string[] {
  const below = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return below.flatMap(({ name }) => [join(path, name), ...cgroups(join(path, name))]);
}

async function assertNothingNew(before: readonly string[]): Promise<void> {
  const left = () => traces().filter((trace) => !before.includes(trace));
  for (let waited = 0; left().length > 0 && waited < 10_000; waited += 100) await sleep(100);
  // The next command sweeps what the killed ones left.
  const last = await build(context('last', ['RUN echo still works']));
  if (last.status !== 0) throw new Error(`the last build failed:\n${last.said}`);
  const temporary = readdirSync(join(root, 'tmp'));
  process.stdout.write(`left: ${JSON.stringify([...left(), ...temporary.map((name) => `temporary ${name}`)])}\n`);
}

const timed = async (what: string, run: () => Promise<string>): Promise<void> => {
  const begin = performance.now();
  const outcome = await run();
  process.stdout.write(`${what}: ${outcome}, ${((performance.now() - begin) / 1000).toFixed(1)} s\n`);
};

const before = traces();
try {
  await build(context('warm', ['RUN echo warm']));
  if (counts.interrupted > 0) {
    const four = pLimit(4);
    await timed(`${counts.interrupted} interrupted builds, 4 at a time`, async () => {
      const run = (turn: number): Promise<Ended> => {
        const lines = [
          `RUN echo ${turn} >/a`,
          'RUN busybox head -c 1000000 /dev/urandom >/b',
          'RUN --mount=type=cache,target=/c echo x >>/c/x',
          'RUN busybox sleep 0.2',
        ];
        // In turn after some milliseconds, which may be in the middle of anything, and at a moment of the build, however slow the machine is.
        const when = turn % 2 === 0 ? 20 + ((turn * 37) % 900) : moments[((turn - 1) / 2) % moments.length];
        return build(context(`interrupted-${turn % 8}`, lines), { when: when ?? 0, turn });
      };
      const all = await Promise.all(Array.from({ length: counts.interrupted }, (_, turn) => four(run, turn)));
      return `${all.filter(({ status }) => status !== 0).length} of them did not come to their end`;
    });
    await assertNothingNew(before);
  }
  if (counts.parallel > 0) {
    await timed(`${counts.parallel} builds at once`, async () => {
      const lines = (index: number) => [
        `RUN echo ${index % 10} >/same`,
        `RUN echo ${index} >/own`,
        'RUN --mount=type=cache,target=/c echo x >>/c/x',
      ];
      const all = await Promise.all(
        Array.from({ length: counts.parallel }, (_, index) => build(context(`parallel-${index}`, lines(index)))),
      );
      const failed = all.filter(({ status }) => status !== 0);
      if (failed[0]) process.stdout.write(`${failed[0].said}\n`);
      return `${failed.length} failed`;
    });
    await assertNothingNew(before);
  }
  if (counts.steps > 0) {
    await timed(`${counts.steps} RUN steps in one Dockerfile`, async () => {
      const lines = Array.from({ length: counts.steps }, (_, step) => `RUN echo ${step} >/file-${step % 500}`);
      const { status, said } = await build(context('steps', lines));
      return status === 0 ? 'built' : `failed:\n${said}`;
    });
    await timed('the same again', async () => {
      const { status, said } = await build(join(directory, 'steps'));
      return status === 0 ? 'built' : `failed:\n${said}`;
    });
    await assertNothingNew(before);
  }
} finally {
  // Without root some files belong to subordinate ids, which cooper itself takes away, and what overlays leave has no permissions at all.
  spawnSync(cooper, ['prune', '--all', '--force'], { env: { ...process.env, COOPER_ROOT: root }, stdio: 'ignore' });
  spawnSync('chmod', ['-R', 'u+rwx', directory]);
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}
