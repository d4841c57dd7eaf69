import { cellsOf, printable } from './printable.ts';
import type { SourceRange } from './source-range.ts';

/** Cells of a source line that are shown; what is longer is cut around the place. */
const maxCells = 100;
/** Cells kept in front of the place when a line is cut. */
const leadCells = 30;
const tabCells = 4;

/**
 * The lines of the file that a range covers, with their numbers, and `^^^^` below what is meant. A range over several lines shows
 * the first and the last. Empty when the range has no text.
 *
 * ```
 *   7 | COPY dist/app.js /srv/
 *     |      ^^^^^^^^^^^
 * ```
 */
export function excerpt(range: SourceRange, mark: (carets: string) => string = (carets) => carets): string[] {
  const { start, end, text } = range;
  if (text === undefined) return [];
  const last = lastLine(range);
  const gutter = String(last).length + 2;
  const shown = [start.line, ...(last > start.line ? [last] : [])];
  return shown.flatMap((number) => {
    const line = lineAt(text, number);
    if (line === undefined) return [];
    const from = number === start.line ? start.column : indentation(line) + 1;
    const to = number === end.line ? end.column : undefined;
    const { source, carets } = window(line, from, to);
    const skipped = number !== start.line && last > start.line + 1 ? [`${'…'.padStart(gutter)} |`] : [];
    return [...skipped, `${String(number).padStart(gutter)} | ${source}`.trimEnd(), `${' '.repeat(gutter)} | ${mark(carets)}`];
  });
}

/** The end is exclusive: a range that ends before the first character of a line does not cover that line. */
function lastLine({ start, end }: SourceRange): number {
  return end.column <= 1 && end.line > start.line ? end.line - 1 : end.line;
}

/** Line `number` (from 1) without its line break; undefined where the text has no such line. */
function lineAt(text: string, number: number): string | undefined {
  let begin = 0;
  for (let line = 1; line < number; line++) {
    const newline = text.indexOf('\n', begin);
    if (newline < 0) return undefined;
    begin = newline + 1;
  }
  const newline = text.indexOf('\n', begin);
  return text.slice(begin, newline < 0 ? undefined : newline).replace(/\r$/, '');
}

const indentation = (line: string): number => line.length - line.trimStart().length;

interface Cell {
  readonly text: string;
  readonly width: number;
  readonly column: number;
  readonly marked: boolean;
}

/** `from` and `to` are columns (characters, from 1); `to` is exclusive, undefined for the end of the line. */
function window(line: string, from: number, to: number | undefined): { source: string; carets: string } {
  const { cells, cutHead, cutTail } = cellsNear(line, from, to ?? Number.POSITIVE_INFINITY);
  const total = cells.reduce((sum, { width }) => sum + width, 0);
  const before = cells.reduce((sum, { width, column }) => (column < from ? sum + width : sum), 0);
  const skip = Math.min(Math.max(before - leadCells, 0), Math.max(total - maxCells, 0));
  const kept: Cell[] = [];
  let at = 0;
  for (const cell of cells) {
    if (at >= skip && at + cell.width <= skip + maxCells) kept.push(cell);
    at += cell.width;
  }
  return draw(kept, cutHead || skip > 0 ? '…' : '', cutTail || skip + maxCells < total ? '…' : '');
}

/** A line may be megabytes long: characters that are too far from the place to be shown are not looked at. */
function cellsNear(line: string, from: number, to: number): { cells: Cell[]; cutHead: boolean; cutTail: boolean } {
  const cells: Cell[] = [];
  let at = 0;
  let column = 0;
  let cutHead = false;
  for (const character of line) {
    column++;
    if (column > from + 2 * maxCells) return { cells, cutHead, cutTail: true };
    if (column < from - 2 * maxCells) {
      cutHead = true;
      continue;
    }
    const width = character === '\t' ? tabCells - (at % tabCells) : cellsOf(character);
    const text = character === '\t' ? ' '.repeat(width) : printable(character);
    cells.push({ text, width, column, marked: column >= from && column < to });
    at += width;
  }
  return { cells, cutHead, cutTail: false };
}

function draw(cells: readonly Cell[], head: string, tail: string): { source: string; carets: string } {
  const source = `${head}${cells.map(({ text }) => text).join('')}${tail}`;
  const marks = cells.map(({ width, marked }) => (marked ? '^' : ' ').repeat(width)).join('');
  // An empty range, or one at the end of the line, still needs something to look at.
  const carets = marks.includes('^') ? marks.trimEnd() : `${marks}^`;
  return { source, carets: `${' '.repeat(head.length)}${carets}` };
}
