import type { UsageEntry } from '../disk-usage/usage-entry.ts';
import { formatBytes } from '../progress/units.ts';
import { formatAgo, formatTable } from './table.ts';

/** Rows of `cooper df` and `cooper prune`. */
export function usageTable(entries: readonly UsageEntry[]): string {
  const now = Date.now();
  const iso = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : new Date(ms).toISOString());
  const rows = entries.map(({ id, type, bytes, lastUsedMs, reclaimable }) => {
    return [id, type, formatBytes(bytes), formatAgo(iso(lastUsedMs), now), String(reclaimable)];
  });
  return formatTable([['ID', 'TYPE', 'SIZE', 'LAST USED', 'RECLAIMABLE'], ...rows]);
}

export function usageTotals(entries: readonly UsageEntry[]): string {
  const sum = (some: readonly UsageEntry[]): string => formatBytes(some.reduce((bytes, entry) => bytes + entry.bytes, 0));
  return `\nReclaimable: ${sum(entries.filter(({ reclaimable }) => reclaimable))}\nTotal:       ${sum(entries)}\n`;
}

/** One entry for programs, by the names that `docker buildx du --format json` has. `Size` is bytes. */
export function usageRecord({ id, type, description, bytes, createdMs, lastUsedMs, inUse, reclaimable }: UsageEntry): object {
  return {
    ID: id,
    Type: type,
    Description: description,
    Size: bytes,
    ...(createdMs !== undefined && { CreatedAt: new Date(createdMs).toISOString() }),
    ...(lastUsedMs !== undefined && { LastUsedAt: new Date(lastUsedMs).toISOString() }),
    InUse: inUse,
    Reclaimable: reclaimable,
  };
}
