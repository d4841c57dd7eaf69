import { join } from 'node:path';
import type { BuildEvent } from '../src/progress/events.ts';
import type { Benchmark, Comparison } from './benchmark.ts';
import { runtimes } from './containers.ts';
import { type Contender, type Measured, measure } from './measure.ts';

import { type Builder, call } from './tools.ts';
import { baseName, type Workspace } from './workspace.ts';

const steps = 50;
const rounds = 5;

/** Figure (b): 50 times RUN of a program that does nothing, each for the first time. And the same against a container alone. */
export const runSteps: Benchmark = async (workspace) => {
  const context = workspace.folder('steps-context');
  const contender = (builder: Builder): Contender => {
    const run = (round: number): void => {
      const said = builder.build(freshSteps(workspace, `${round}`), context, 'steps');
      if (builder.cachedSteps(said) > 0) throw new Error(`${builder.name} used its cache:\n${said}`);
    };
    return { name: builder.name, per: steps, run };
  };
  const measured = await measure([contender(workspace.cooper), contender(workspace.buildah)], { rounds });
  return [
    { title: `${steps} × RUN true, each new`, unit: 'step; start of the command included', measured },
    ...stepAlone(workspace, context),
  ];
};

/** RUNs that no build before has had. */
function freshSteps(workspace: Workspace, round: string): string {
  const lines = Array.from({ length: steps }, (_, step) => `RUN true ${round}-${step}`);
  return workspace.file(`steps-${round}.Dockerfile`, `FROM ${baseName}\n${lines.join('\n')}\n`);
}

/** A step within a build, by its events, and a container of the runtimes' with the same files. In turn, as `measure` does it. */
function stepAlone(workspace: Workspace, context: string): Comparison[] {
  const peers = runtimes(workspace);
  const ours: number[] = [];
  const theirs = peers.map((): number[] => []);
  for (let round = 0; round <= rounds; round++) {
    const stepsMs = eventsMs(workspace, freshSteps(workspace, `alone-${round}`), context);
    const peersMs = peers.map((peer) => peer.timesMs(10));
    if (round === 0) continue;
    ours.push(stepsMs);
    for (const [index, samples] of peersMs.entries()) theirs[index]?.push(...samples);
  }
  const measured: Measured[] = [
    { name: 'cooper: overlay, container, diff, layer, record', samplesMs: ours },
    ...peers.map(({ name }, index) => ({ name: `${name}: container on the files as they are`, samplesMs: theirs[index] ?? [] })),
  ];
  return [{ title: 'one step alone', unit: 'step, or command of a runtime', measured }];
}

/** From the start of the first RUN to the end of the last one, by step. The times of events are whole milliseconds: 0.02 ms by step. */
function eventsMs({ directory }: Workspace, dockerfile: string, context: string): number {
  const program = join(import.meta.dirname, '../bin/cooper');
  const root = join(directory, 'cooper');
  const said = call(program, ['build', '--root', root, '--progress', 'json', '-t', 'steps', '-f', dockerfile, context]);
  const events = said
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as BuildEvent);
  const first = events.find((event) => event.type === 'vertex.started' && event.name.includes('RUN'));
  const last = events.findLast((event) => event.type === 'vertex.completed');
  if (!first || !last || last.cached) throw new Error(`the steps did not run:\n${said}`);
  return (last.time - first.time) / steps;
}
