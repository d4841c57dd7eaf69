import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PruneWishes, selectForPrune } from '../../src/disk-usage/select-for-prune.ts';
import type { UsageEntry } from '../../src/disk-usage/usage-entry.ts';

const entry = (id: string, type: UsageEntry['type'], lastUsedMs: number, more: Partial<UsageEntry> = {}): UsageEntry => ({
  ...{ id, type, description: '', bytes: 100, lastUsedMs, inUse: false, reclaimable: true, paths: [] },
  ...more,
});

const entries = [
  entry('npm', 'exec.cachemount', 50),
  entry('apt#0123abcd', 'exec.cachemount', 10),
  entry('busy', 'exec.cachemount', 5, { inUse: true, reclaimable: false }),
  entry('aaaaaaaaaaaa', 'regular', 20),
  entry('bbbbbbbbbbbb', 'regular', 1, { reclaimable: false }),
  entry('records', 'internal', 2),
  entry('trash', 'internal', 3),
];

const cases: { name: string; wishes: Partial<PruneWishes>; want: readonly string[] }[] = [
  { name: 'everything that nothing needs, the longest unused first', wishes: {}, want: ['trash', 'apt#0123abcd', 'aaaaaaaaaaaa', 'npm'] },
  { name: 'internal things with --all', wishes: { all: true }, want: ['records', 'trash', 'apt#0123abcd', 'aaaaaaaaaaaa', 'npm'] },
  { name: 'or by their type', wishes: { types: ['internal'] }, want: ['records', 'trash'] },
  { name: 'one type', wishes: { types: ['exec.cachemount'] }, want: ['apt#0123abcd', 'npm'] },
  { name: 'an id without what tells its caches apart', wishes: { ids: ['apt'] }, want: ['apt#0123abcd'] },
  { name: 'no id that only begins like it', wishes: { ids: ['np'] }, want: [] },
  { name: 'a digest by its first digits', wishes: { ids: ['aaaa'] }, want: ['aaaaaaaaaaaa'] },
  { name: 'a digest in full', wishes: { ids: [`sha256:${'a'.repeat(64)}`] }, want: ['aaaaaaaaaaaa'] },
  { name: 'no digest without digits', wishes: { ids: ['sha256:'] }, want: [] },
  { name: 'each of several ids', wishes: { ids: ['npm', 'apt'] }, want: ['apt#0123abcd', 'npm'] },
  { name: 'what was not used since', wishes: { untilMs: 20 }, want: ['trash', 'apt#0123abcd'] },
  { name: 'until no more is left than may be', wishes: { maxUsedBytes: 250 }, want: ['trash', 'apt#0123abcd', 'aaaaaaaaaaaa'] },
  { name: 'nothing where all may stay', wishes: { reservedBytes: 500 }, want: [] },
  { name: 'with both sizes the larger one counts', wishes: { reservedBytes: 400, maxUsedBytes: 100 }, want: ['trash'] },
];

for (const { name, wishes, want } of cases) {
  test(`prune chooses ${name}`, () => {
    const chosen = selectForPrune(entries, { all: false, types: [], ids: [], ...wishes });
    assert.deepEqual(
      chosen.map(({ id }) => id),
      want,
    );
  });
}
