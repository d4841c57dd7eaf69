import { printable } from '../diagnostics/printable.ts';

/** Rows in columns, three spaces apart, as Docker prints them. Ends with a line break. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const shown = rows.map((cells) => cells.map((cell) => printable(cell.replaceAll(/\s+/g, ' '))));
  const widths = (shown[0] ?? []).map((_, column) => Math.max(...shown.map((cells) => cells[column]?.length ?? 0)));
  return shown
    .map(
      (cells) =>
        `${cells
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** How long ago, in one unit: `3 days ago`. `-` for a time that is not known. */
export function formatAgo(time: string | undefined, nowMs: number): string {
  const milliseconds = time === undefined ? Number.NaN : nowMs - Date.parse(time);
  if (Number.isNaN(milliseconds)) return '-';
  const seconds = Math.max(Math.floor(milliseconds / 1000), 0);
  const [unit, length] = units.find(([, least]) => seconds >= 2 * least) ?? ['second', 1];
  const count = Math.floor(seconds / length);
  return `${count} ${unit}${count === 1 ? '' : 's'} ago`;
}

/** From two of the unit on, so that nothing is rounded by more than a half. Seconds each. */
const units = [
  ['year', 365 * 86_400],
  ['month', 30 * 86_400],
  ['week', 7 * 86_400],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const;
