import type { UsageEntry, UsageType } from './usage-entry.ts';

/** Which entries `df` is to show and `prune` to delete: those of one of the types, with one of the ids, not used since. */
export interface UsageWishes {
  /** Empty: every type. */
  readonly types: readonly UsageType[];
  /** Empty: every id. */
  readonly ids: readonly string[];
  /** Only what was not used since then, in milliseconds since the epoch. */
  readonly untilMs?: number;
}

/** Whether an entry is among those that are meant. */
export function fits(entry: UsageEntry, { types, ids, untilMs }: UsageWishes): boolean {
  const { type, lastUsedMs = 0 } = entry;
  if (types.length > 0 && !types.includes(type)) return false;
  if (ids.length > 0 && !ids.some((wanted) => isNamed(entry, wanted))) return false;
  return untilMs === undefined || lastUsedMs < untilMs;
}

/** A cache mount by its id, with or without what tells it from others of that id; anything else by the first digits of its digest. */
function isNamed({ id, type }: UsageEntry, wanted: string): boolean {
  if (type === 'exec.cachemount')
    return id === wanted || (id.startsWith(wanted) && /^(#[0-9a-f]{8})?(-\d+)?$/.test(id.slice(wanted.length)));
  const digits = wanted.replace(/^sha256:/, '').slice(0, 12);
  // None name nothing, and not everything.
  return digits !== '' && id.startsWith(digits);
}
