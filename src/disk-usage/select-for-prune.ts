import type { UsageEntry, UsageType } from './usage-entry.ts';

/** What `prune` was asked for. */
export interface PruneWishes {
  /** Also what only speeds things up. */
  readonly all: boolean;
  /** Empty: every type. */
  readonly types: readonly UsageType[];
  /** Empty: every id. */
  readonly ids: readonly string[];
  /** Only what was not used since then, in milliseconds since the epoch. */
  readonly untilMs?: number;
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

function isMeant(entry: UsageEntry, { all, types, ids, untilMs }: PruneWishes): boolean {
  const { type, id, lastUsedMs = 0 } = entry;
  if (type === 'internal' && !all && id !== 'trash' && !types.includes('internal')) return false;
  if (types.length > 0 && !types.includes(type)) return false;
  if (ids.length > 0 && !ids.some((wanted) => isNamed(entry, wanted))) return false;
  return untilMs === undefined || lastUsedMs < untilMs;
}

/** A cache mount by its id, with or without what tells it from others of that id; anything else by the first digits of its digest. */
const isNamed = ({ id, type }: UsageEntry, wanted: string): boolean =>
  type === 'exec.cachemount'
    ? id === wanted || (id.startsWith(wanted) && /^(#[0-9a-f]{8})?(-\d+)?$/.test(id.slice(wanted.length)))
    : id.startsWith(wanted.slice(0, 12));
