import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, cpSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Benchmark } from './benchmark.ts';
import { runtimes } from './containers.ts';
import type { Measured } from './measure.ts';
import { call } from './tools.ts';
import type { Workspace } from './workspace.ts';

const rounds = 5;
const runs = 40;
/** The unprivileged user of the tests. */
const user = 'cooper-test';

interface Sample {
  readonly mode: string;
  readonly startsMs: readonly number[];
  readonly wordsMs: readonly number[];
  readonly endsMs: readonly number[];
}

/** So long the kernel may take away what the one before has left to it: network namespaces and cgroups. A build's steps follow steps, not runtimes. */
const pauseMs = 1000;

/** Figure (e): how long a step takes to start: from the request to the worker to the program. As root and without, and runtimes for comparison. */
export const stepStart: Benchmark = async (workspace) => {
  const peers = runtimes(workspace);
  const takes = [sampler(workspace, undefined), ...(hasUser() ? [sampler(workspace, user)] : [])];
  const samples: Sample[][] = takes.map(() => []);
  const theirWords = peers.map((): number[] => []);
  const theirEnds = peers.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, take] of takes.entries()) {
      await setTimeout(pauseMs);
      samples[index]?.push(take());
    }
    for (const [index, peer] of peers.entries()) {
      await setTimeout(pauseMs);
      theirWords[index]?.push(...peer.wordsMs(10));
      theirEnds[index]?.push(...peer.timesMs(10));
    }
  }
  const ours = (what: 'startsMs' | 'wordsMs' | 'endsMs', note = ''): Measured[] =>
    samples.map((all) => ({ name: `cooper as ${all[0]?.mode}${note}`, samplesMs: all.flatMap((sample) => sample[what]) }));
  const others = (times: readonly number[][]): Measured[] => peers.map(({ name }, index) => ({ name, samplesMs: times[index] ?? [] }));
  const title = 'a step, or a container';
  return [
    { title, unit: 'until the builder hears of its exec', measured: ours('startsMs') },
    { title, unit: "until the program's first word", measured: [...ours('wordsMs'), ...others(theirWords)] },
    {
      title,
      unit: 'until all is over',
      measured: [...ours('endsMs', ", with its layer's files kept"), ...others(theirEnds)],
    },
  ];
};

const hasUser = (): boolean => spawnSync('id', ['-u', user]).status === 0;

/** Bundled, so that it can be run by somebody who cannot read the checkout. */
function sampler(workspace: Workspace, as: string | undefined): () => Sample {
  const folder = workspace.folder(`start-${as ?? 'root'}`);
  const script = join(folder, 'sample.mjs');
  const worker = join(folder, 'cooper-worker');
  const node = join(folder, 'node');
  const repo = join(import.meta.dirname, '..');
  call(join(repo, 'node_modules/.bin/esbuild'), [
    join(import.meta.dirname, 'step-start-sample.ts'),
    ...['--bundle', '--format=esm', '--platform=node', '--log-level=warning', `--outfile=${script}`],
  ]);
  copyFileSync(join(repo, 'dist/cooper-worker'), worker);
  copyFileSync(process.execPath, node);
  cpSync(workspace.base, join(folder, 'base'), { recursive: true, verbatimSymlinks: true });
  const store = workspace.folder(`start-${as ?? 'root'}/store`);
  const become = as === undefined ? [] : ['setpriv', `--reuid=${as}`, `--regid=${as}`, '--init-groups'];
  if (as !== undefined) {
    chmodSync(workspace.directory, 0o755);
    const [uid = 0, gid = 0] = ['-u', '-g'].map((flag) => Number(call('id', [flag, as])));
    chownSync(store, uid, gid);
  }
  const [program = '', ...rest] = [...become, node, script, store, join(folder, 'base'), `${runs}`, worker];
  return () => JSON.parse(call(program, rest)) as Sample;
}
