import { renderFinding } from '../../diagnostics/render.ts';
import { measureStore } from '../../disk-usage/measure-store.ts';
import type { UsageEntry } from '../../disk-usage/usage-entry.ts';
import { fits } from '../../disk-usage/usage-wishes.ts';
import { formatBytes } from '../../progress/units.ts';
import { openSession } from '../../session.ts';
import { defineCommand } from '../command.ts';
import { sets } from '../flag.ts';
import { needRoot } from '../globals.ts';
import { usageRecord, usageTable, usageTotals } from '../usage-table.ts';
import { parseUsageFilter, type UsageFilter, wishesOf } from '../values/filter.ts';
import { parseUsageFormat } from '../values/usage-format.ts';

interface DfFlags {
  readonly filters: UsageFilter[];
  verbose: boolean;
  json: boolean;
}

export const command = defineCommand<DfFlags>({
  name: 'df',
  summary: 'shows what the store holds, and how much of the disk it takes',
  operands: '',
  count: [0, 0],
  flags: [
    {
      name: 'filter',
      value: 'KEY=VALUE',
      help: 'only some: type=exec.cachemount, id=ID or until=24h; may be given several times',
      set: ({ filters }, text) => void filters.push(parseUsageFilter(text, Date.now())),
    },
    { name: 'verbose', help: 'all that is known of each', set: sets('verbose') },
    {
      name: 'format',
      value: 'json',
      help: 'one JSON object per line',
      set: (options, text) => {
        options.json = parseUsageFormat(text);
      },
    },
  ],
  details: [
    'Sizes are what is taken on the disk. A layer counts with its files, its index and its compressed forms. What is reclaimable goes with ' +
      '"cooper prune"; everything else is needed by an image that has a name, or used by a step that runs.',
  ],
  defaults: () => ({ filters: [], verbose: false, json: false }),
  run: async ({ filters, verbose, json, ...globals }, _words, { signal, writeResult, writeMessage, color }) => {
    await using session = await openSession(needRoot(globals), signal);
    const { entries, kept } = await measureStore(session, signal);
    for (const { code, message, hint } of kept.damaged) {
      await writeMessage(`${renderFinding({ severity: 'warning', code, message, hint }, { color })}\n`);
    }
    const wishes = wishesOf(filters);
    const shown = entries.filter((entry) => fits(entry, wishes)).sort((a, b) => b.bytes - a.bytes);
    if (json) await writeResult(shown.map((entry) => `${JSON.stringify(usageRecord(entry))}\n`).join(''));
    else if (verbose) await writeResult(shown.map(block).join('\n') + usageTotals(shown));
    else await writeResult(usageTable(shown) + usageTotals(shown));
    return 0;
  },
});

/** As `docker buildx du --verbose` shows one. */
function block(entry: UsageEntry): string {
  const time = (ms: number | undefined): string => (ms === undefined ? '-' : new Date(ms).toISOString());
  const rows = [
    ['ID', entry.id],
    ['Type', entry.type],
    ['Description', entry.description],
    ['Size', formatBytes(entry.bytes)],
    ['Created at', time(entry.createdMs)],
    ['Last used', time(entry.lastUsedMs)],
    ['In use', String(entry.inUse)],
    ['Reclaimable', String(entry.reclaimable)],
  ] as const;
  return rows.map(([name, value]) => `${`${name}:`.padEnd(13)} ${value}\n`).join('');
}
