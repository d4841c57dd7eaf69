const nanosecondsOf: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, μs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** Nanoseconds of a duration as Go writes it: `1m30s`, `1.5h`, `0`. Undefined for anything else, for less than nothing, and for more than Go's 292 years. */
export function parseDuration(text: string): number | undefined {
  if (/^[-+]?0$/.test(text)) return 0;
  if (text.length > 64 || !/^[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, number = '', unit = ''] of text.matchAll(/([\d.]+)([a-zµμ]+)/g))
    total += Number(number) * (nanosecondsOf[unit] ?? Number.NaN);
  if (text.startsWith('-')) return total === 0 ? 0 : undefined;
  return total < 2 ** 63 ? Math.round(total) : undefined;
}
