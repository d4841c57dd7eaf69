/** `950B`, `1.5kB`, `12.3MB`: powers of 1000, three digits, as `docker images` writes sizes. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : Number(value.toPrecision(3))}${units[unit]}`;
}

/** Seconds of a step's life, finer while it is young: `0.123`, `12.34`, `123.4`. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(milliseconds, 0) / 1000;
  return seconds.toFixed(seconds < 10 ? 3 : seconds < 100 ? 2 : 1);
}
