import { printable } from '../../diagnostics/printable.ts';
import { openSession } from '../../session.ts';
import type { DoctorCheck, Downgrade } from '../../worker/protocol.ts';
import { defineCommand } from '../command.ts';
import { sets } from '../flag.ts';
import { needRoot } from '../globals.ts';
import { usernsOf } from '../userns-flag.ts';
import { version } from '../version.ts';

export const command = defineCommand({
  name: 'doctor',
  summary: 'says what this machine lets cooper do, and why not more',
  operands: '',
  count: [0, 0],
  flags: [{ name: 'json', help: 'everything, as JSON', set: sets('json') }],
  defaults: () => ({ json: false }),
  run: async ({ json, ...globals }, _words, { signal, environment, writeResult }) => {
    const root = needRoot(globals);
    await using session = await openSession(root, signal, { userns: usernsOf({}, environment) });
    const { mode, reason, snapshotter, downgrades } = session.worker.info;
    const { checks } = await session.worker.call('doctor', {}, { signal });
    const report = { version, node: process.version, root, mode, reason, snapshotter, downgrades, checks };
    await writeResult(json ? `${JSON.stringify(report, undefined, 2)}\n` : render(report));
    return 0;
  },
});

interface Report {
  readonly version: string;
  readonly node: string;
  readonly root: string;
  readonly mode: string;
  readonly reason: string;
  readonly snapshotter: string;
  readonly downgrades: readonly Downgrade[];
  readonly checks: readonly DoctorCheck[];
}

function render({ version: own, node, root, mode, reason, snapshotter, checks }: Report): string {
  const facts = [
    ['cooper', `${own}, on Node ${node}`],
    ['store', root],
    ['mode', reason === '' ? mode : `${mode} (${reason})`],
    ['snapshots', snapshotter],
  ] as const;
  const lines = [
    ...facts.map(([name, value]) => `${name.padEnd(10)}${value}`),
    '',
    ...checks.flatMap(({ name, state, detail, hint }) => {
      return [`${state.padEnd(10)}${name}: ${detail}`, ...(hint === undefined ? [] : [`${' '.repeat(10)}hint: ${hint}`])];
    }),
  ];
  return `${lines.map(printable).join('\n')}\n`;
}
