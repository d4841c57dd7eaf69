import { BuildError } from '../../diagnostics/build-error.ts';
import { nearest } from '../../diagnostics/suggest.ts';
import { type UsageType, usageTypes } from '../../disk-usage/usage-entry.ts';
import type { UsageWishes } from '../../disk-usage/usage-wishes.ts';

/** What `--filter` of `df` and `prune` says. */
export type UsageFilter = { readonly type: UsageType } | { readonly id: string } | { readonly untilMs: number };

const usage = 'write --filter type=TYPE, --filter id=ID or --filter until=24h';

/** Reads `--filter`. `until` is a duration back from `nowMs`, or a time. Throws ARG_INVALID. */
export function parseUsageFilter(text: string, nowMs: number): UsageFilter {
  const bad = (why: string, hint = usage): BuildError => new BuildError('ARG_INVALID', `"--filter ${text}" ${why}`, { hint });
  const [, key = '', value = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (key === '' || value === '') throw bad('is no key=value');
  if (key === 'id') return { id: value };
  if (key === 'type') {
    const type = usageTypes.find((each) => each === value);
    if (type) return { type };
    const near = nearest(value, usageTypes);
    throw bad(`has the unknown type "${value}"`, near ? `did you mean "type=${near}"?` : `write one of ${usageTypes.join(', ')}`);
  }
  if (key !== 'until') throw bad(`has the unknown key "${key}"`);
  const duration = parseDuration(value);
  // Only what has the form of a date: Date.parse takes "7" for a July.
  const date = /^\d{4}-\d\d-\d\d/.test(value) ? Date.parse(value) : Number.NaN;
  const time = duration === undefined ? date : nowMs - duration;
  if (Number.isNaN(time)) throw bad('has neither a duration nor a time', 'write until=24h, until=1h30m or until=2026-01-31T12:00:00Z');
  return { untilMs: time };
}

/** All filters together: one of the types, one of the ids, and the longest time without use. */
export function wishesOf(filters: readonly UsageFilter[]): UsageWishes {
  const until = filters.flatMap((filter) => ('untilMs' in filter ? [filter.untilMs] : []));
  return {
    types: filters.flatMap((filter) => ('type' in filter ? [filter.type] : [])),
    ids: filters.flatMap((filter) => ('id' in filter ? [filter.id] : [])),
    ...(until.length > 0 && { untilMs: Math.min(...until) }),
  };
}

const units: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Milliseconds of a duration as Go writes it: `24h`, `1h30m`, `90s`. */
function parseDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(h|ms|m|s))+$/.test(text)) return undefined;
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g);
  return [...parts].reduce((sum, [, number, unit]) => sum + Number(number) * (units[unit ?? ''] ?? 0), 0);
}
