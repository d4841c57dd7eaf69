import { BuildError } from '../../diagnostics/build-error.ts';
import { pruneStore } from '../../disk-usage/prune-store.ts';
import type { PruneWishes } from '../../disk-usage/select-for-prune.ts';
import { parseByteSize } from '../../plan/byte-size.ts';
import { formatBytes } from '../../progress/units.ts';
import { openSession } from '../../session.ts';
import type { Caller } from '../caller.ts';
import { defineCommand } from '../command.ts';
import { sets } from '../flag.ts';
import { needRoot } from '../globals.ts';
import { usageRecord, usageTable } from '../usage-table.ts';
import { parseUsageFilter, type UsageFilter, wishesOf } from '../values/filter.ts';
import { parseUsageFormat } from '../values/usage-format.ts';

interface PruneFlags {
  all: boolean;
  force: boolean;
  json: boolean;
  readonly filters: UsageFilter[];
  reservedBytes?: number;
  maxUsedBytes?: number;
}

export const command = defineCommand<PruneFlags>({
  name: 'prune',
  summary: 'deletes cache mounts, fetched files, and layers that no image with a name needs',
  operands: '',
  count: [0, 0],
  flags: [
    { name: 'all', short: 'a', help: 'also what only makes builds faster: records of steps, digests of files', set: sets('all') },
    {
      name: 'filter',
      value: 'KEY=VALUE',
      help: 'only some: type=exec.cachemount, id=ID or until=24h (not used since); may be given several times',
      set: ({ filters }, text) => void filters.push(parseUsageFilter(text, Date.now())),
    },
    {
      name: 'reserved-space',
      value: 'SIZE',
      help: 'keep so much in any case, what was used last first',
      set: (options, text) => {
        options.reservedBytes = parseSize('--reserved-space', text);
      },
    },
    {
      name: 'keep-storage',
      value: 'SIZE',
      help: 'the older name of --reserved-space',
      set: (options, text) => {
        options.reservedBytes = parseSize('--keep-storage', text);
      },
    },
    {
      name: 'max-used-space',
      value: 'SIZE',
      help: 'delete only until no more than this is left',
      set: (options, text) => {
        options.maxUsedBytes = parseSize('--max-used-space', text);
      },
    },
    { name: 'force', short: 'f', help: 'do not ask', set: sets('force') },
    {
      name: 'format',
      value: 'json',
      help: 'one JSON object per line for each that has gone',
      set: (options, text) => {
        options.json = parseUsageFormat(text);
      },
    },
  ],
  unavailable: [
    { name: 'min-free-space', hint: 'use --max-used-space' },
    { name: 'verbose', hint: 'use --format json' },
  ],
  details: [
    'Images that have names stay whole; "cooper rmi" takes the names. A cache mount that a step uses stays. While other commands work with the ' +
      'store, only cache mounts go.',
  ],
  defaults: () => ({ all: false, force: false, json: false, filters: [] }),
  run: async (flags, _words, caller) => {
    const { signal, writeResult, writeMessage } = caller;
    const { all, filters, reservedBytes, maxUsedBytes } = flags;
    const wishes: PruneWishes = {
      all,
      ...wishesOf(filters),
      ...(reservedBytes !== undefined && { reservedBytes }),
      ...(maxUsedBytes !== undefined && { maxUsedBytes }),
    };
    if (!flags.force && !(await agrees(wishes, caller))) return 1;
    await using session = await openSession(needRoot(flags), signal);
    const { gone, shared } = await pruneStore(session, wishes, signal);
    if (shared) await writeMessage('other commands work with this store: only cache mounts that no step uses were considered\n');
    if (flags.json) await writeResult(gone.map((entry) => `${JSON.stringify(usageRecord(entry))}\n`).join(''));
    else
      await writeResult(
        `${gone.length > 0 ? usageTable(gone) : ''}Total: ${formatBytes(gone.reduce((sum, { bytes }) => sum + bytes, 0))}\n`,
      );
    return 0;
  },
});

function parseSize(option: string, text: string): number {
  const bytes = parseByteSize(text);
  if (bytes !== undefined) return bytes;
  throw new BuildError('ARG_INVALID', `"${option} ${text}" is no size`, { hint: 'write a number of bytes, or such as 512m or 10g' });
}

function described({ all, types, ids, untilMs, reservedBytes, maxUsedBytes }: PruneWishes): string {
  const filtered = types.length + ids.length > 0 || untilMs !== undefined;
  const what = filtered ? 'everything that fits the filters and' : 'all cache mounts, and all fetched files and layers,';
  const sized = reservedBytes !== undefined || maxUsedBytes !== undefined;
  return [
    `${what} that no image with a name needs`,
    ...(all && !filtered ? [', and what only makes builds faster'] : []),
    ...(sized ? [', as far as the sizes ask for it'] : []),
  ].join('');
}

/** Whether the answer to the question is yes: its first line begins with y. Tells what any other comes to. */
async function agrees(wishes: PruneWishes, { input, writeMessage }: Caller): Promise<boolean> {
  await writeMessage(`This deletes ${described(wishes)}. Go on? [y/N] `);
  let answer = '';
  for await (const chunk of input) {
    answer += Buffer.from(chunk).toString();
    if (answer.includes('\n') || answer.length > 100) break;
  }
  if (/^\s*y(es)?\s*(\n|$)/i.test(answer)) return true;
  // What was typed ends the line of the question; what is not there does not.
  await writeMessage(answer === '' ? '\nnobody answers, so nothing was deleted; "--force" does not ask\n' : 'nothing was deleted\n');
  return false;
}
