import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, cpSync } from 'node:fs';
import { join } from 'node:path';
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
  readonly endsMs: readonly number[];
}

/** Figure (e): how long a step takes to start: from the request to the worker to the program's exec. As root and without, and runtimes for comparison. */
export const stepStart: Benchmark = async (workspace) => {
  const peers = runtimes(workspace);
  const takes = [sampler(workspace, undefined), ...(hasUser() ? [sampler(workspace, user)] : [])];
  const samples: Sample[][] = takes.map(() => []);
  const theirs = peers.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, take] of takes.entries()) samples[index]?.push(take());
    for (const [index, peer] of peers.entries()) theirs[index]?.push(...peer.timesMs(10));
  }
  const ours = samples.flatMap((all): Measured[] => [
    { name: `cooper as ${all[0]?.mode}: to the start of the program`, samplesMs: all.flatMap(({ startsMs }) => startsMs) },
    { name: `cooper as ${all[0]?.mode}: to its end, with its layer's files kept`, samplesMs: all.flatMap(({ endsMs }) => endsMs) },
  ]);
  const peersMeasured = peers.map(({ name }, index) => ({ name: `${name}, the whole command`, samplesMs: theirs[index] ?? [] }));
  return [{ title: 'the start of a step', unit: 'container', measured: [...ours, ...peersMeasured] }];
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
