import { spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Built, CommandOptions, Cooper } from './cooper.ts';

const source = join(import.meta.dirname, '../../fixtures/probe/probe.c');

export interface LookOptions extends CommandOptions {
  /** Instructions before the RUN. */
  readonly before?: readonly string[];
  /** Flags of the RUN. */
  readonly mounts?: string;
  readonly args?: readonly string[];
}

/** Builds an image whose RUN executes a script of the shell; whatever came of it. The test's folder has `probe` for COPY. */
export async function attempt(cooper: Cooper, base: string, script: string, options: LookOptions = {}): Promise<Built> {
  const { before = [], mounts = '', args = [], ...rest } = options;
  const lines = [`FROM ${base}`, ...before, `RUN ${mounts} <<'END'`, script, 'END', ''];
  await cooper.context('look', { Dockerfile: lines.join('\n') });
  return cooper.build(['--no-cache', ...args, join(cooper.directory, 'look')], rest);
}

/** What such a script prints, both streams together. It has to end well. */
export async function look(cooper: Cooper, base: string, script: string, options: LookOptions = {}): Promise<string> {
  const built = await attempt(cooper, base, script, options);
  if (built.status !== 0) throw new Error(`the build ended with ${built.status}: ${outputOf(built)}\n${messageOf(built)}`);
  return outputOf(built);
}

export const outputOf = ({ events }: Built): string => events.map((event) => (event.type === 'vertex.output' ? event.text : '')).join('');

/** Code and message of a build that failed; empty of one that did not. */
export function messageOf({ events, stderr }: Built): string {
  const failed = events.find((event) => event.type === 'build.failed');
  return failed
    ? `${failed.code}: ${failed.message}`
    : stderr
        .split('\n')
        .filter((line) => !line.startsWith('{'))
        .join('\n');
}

/** Puts fixtures/probe, compiled, into the folder `look`, for `COPY probe /probe`. */
export async function compileProbe(cooper: Cooper): Promise<void> {
  const folder = join(cooper.directory, 'look');
  await mkdir(folder, { recursive: true });
  const { status, error } = spawnSync('gcc', ['-static', '-O1', '-o', join(folder, 'probe'), source], { stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('gcc cannot make a static binary of fixtures/probe/probe.c', { cause: error });
}
