import { cpus, loadavg, release, totalmem, type } from 'node:os';
import type { Comparison } from './benchmark.ts';
import { summarize } from './measure.ts';
import { call } from './tools.ts';

/** A table in markdown: medians, the middle half, the least, and how many times as long as ours. */
export function comparisonTable(comparisons: readonly Comparison[]): string {
  const rows = comparisons.flatMap(({ title, unit, measured }) => {
    const ours = summarize(measured[0]?.samplesMs ?? []).medianMs;
    return measured.map(({ name, samplesMs }, index) => {
      const { medianMs, lowMs, highMs, leastMs } = summarize(samplesMs);
      const head = index === 0 ? [title, unit] : ['', ''];
      const figures = [ms(medianMs), `${ms(lowMs)}–${ms(highMs)}`, ms(leastMs), `${samplesMs.length}`, times(medianMs / ours)];
      return [...head, name, ...figures];
    });
  });
  const head = ['what', 'ms for each', 'who', 'median', 'middle half', 'least', 'samples', 'ratio'];
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** What figures depend on. */
export function machine(directory: string): string {
  const [first] = cpus();
  const filesystem = call('findmnt', ['--noheadings', '--first-only', '--output', 'FSTYPE', '--target', directory]).trim();
  const facts = [
    `${cpus().length} × ${first?.model.trim() ?? 'unknown processor'}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `${type()} ${release()}`,
    `files on ${filesystem}`,
    `Node ${process.versions.node}`,
    call('buildah', ['--version']).trim(),
  ];
  return facts.join(', ');
}

/** How many programs wanted a processor, over the last minute. */
export const load = (): string => (loadavg()[0] ?? 0).toFixed(1);

/** Where they are close to each other, hundredths count. */
const times = (ratio: number): string => `${ratio.toFixed(ratio < 2 ? 2 : 1)}×`;

function ms(value: number): string {
  return value.toFixed(value < 100 ? 1 : 0);
}
