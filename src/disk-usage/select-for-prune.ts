import type { UsageEntry } from './usage-entry.ts';
import { fits, type UsageWishes } from './usage-wishes.ts';

/** What `prune` was asked for. */
export interface PruneWishes extends UsageWishes {
  /** Also what only speeds things up. */
  readonly all: boolean;
  /** So much may always stay, in bytes. */
  readonly reservedBytes?: number;
  /** No more than this is to stay, in bytes. */
  readonly maxUsedBytes?: number;
}

/**
 * What is to go, the longest unused first. With a size to keep only as much goes as is too much. Source of the rule for sizes: BuildKit,
 * cache/manager.go, `calculateKeepBytes`.
 */
export function selectForPrune(entries: readonly UsageEntry[], wishes: PruneWishes): readonly UsageEntry[] {
  const free = entries.filter(({ reclaimable, inUse }) => reclaimable && !inUse);
  const candidates = free.filter((entry) => isMeant(entry, wishes)).sort((a, b) => (a.lastUsedMs ?? 0) - (b.lastUsedMs ?? 0));
  const { reservedBytes, maxUsedBytes } = wishes;
  if (reservedBytes === undefined && maxUsedBytes === undefined) return candidates;
  const keep = Math.max(reservedBytes ?? 0, maxUsedBytes ?? 0);
  let total = free.reduce((sum, { bytes }) => sum + bytes, 0);
  const chosen: UsageEntry[] = [];
  for (const entry of candidates) {
    if (total <= keep) break;
    chosen.push(entry);
    total -= entry.bytes;
  }
  return chosen;
}

/** What only speeds things up goes when it is asked for; what is deleted already needs no asking. */
function isMeant(entry: UsageEntry, wishes: PruneWishes): boolean {
  const { type, id } = entry;
  if (type === 'internal' && !wishes.all && id !== 'trash' && !wishes.types.includes('internal')) return false;
  return fits(entry, wishes);
}
