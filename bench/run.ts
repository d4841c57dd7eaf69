// `npm run bench [-- NAME...]`: compares with buildah on this machine and prints tables in markdown. README.md says how to read them.

import type { Benchmark } from './benchmark.ts';
import { cachedRebuild } from './cached-rebuild.ts';
import { copyUnchanged } from './copy-unchanged.ts';
import { ignoredFiles } from './ignored-files.ts';
import { inside } from './inside.ts';
import { parseLarge } from './parse-large.ts';
import { comparisonTable, load, machine } from './report.ts';
import { runSteps } from './run-steps.ts';
import { stepStart } from './step-start.ts';
import { Workspace } from './workspace.ts';

const benchmarks: Readonly<Record<string, Benchmark>> = {
  'cached-rebuild': cachedRebuild,
  'run-steps': runSteps,
  'step-start': stepStart,
  inside,
  'copy-unchanged': copyUnchanged,
  'ignored-files': ignoredFiles,
  'parse-large': parseLarge,
};

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(benchmarks);
const unknown = wanted.find((name) => !Object.hasOwn(benchmarks, name));
if (unknown !== undefined) throw new Error(`there is no benchmark "${unknown}": there are ${Object.keys(benchmarks).join(', ')}`);
if (process.getuid?.() !== 0) throw new Error('root is needed: without it the peers work in other, slower ways');

// An interrupt ends the program that is being measured; that it failed then ends us, and what was made is removed.
process.on('SIGINT', () => {});

const before = load();
using workspace = new Workspace();
const comparisons = [];
for (const [name, benchmark] of Object.entries(benchmarks)) {
  if (!wanted.includes(name)) continue;
  process.stderr.write(`bench: ${name}\n`);
  comparisons.push(...(await benchmark(workspace)));
}
process.stdout.write(
  `${new Date().toISOString().slice(0, 10)}: ${machine(workspace.directory)}; load ${before} before, ${load()} after\n\n`,
);
process.stdout.write(`${comparisonTable(comparisons)}\n`);
