// An instruction stands on one logical line: physical lines joined where one ends in the escape character, without the comment lines and
// blank lines between them. The token patterns look at the joined text; their tokens cover the file as it is.

import { isSpace, trimSpaceEnd } from './space.ts';

/** Joined text with the way back to the file. */
export interface LogicalLine {
  /** Trailing white space is removed, leading is kept. */
  readonly text: string;
  /** With its trailing white space. */
  readonly untrimmed: string;
  /** Index in the file of its first character. */
  readonly start: number;
  /** Index behind its last physical line with content, without the line break. */
  readonly end: number;
  /** Index of the first character that is not of this line any more. */
  readonly next: number;
  /** Start of each blank line between its parts. */
  readonly blankLines: readonly number[];
  /** Where each part begins, in the file and in `text`. */
  readonly parts: readonly Part[];
}

interface Part {
  readonly inFile: number;
  readonly inText: number;
}

/** Reads the logical line that begins at `start`. */
export function readLogicalLine(file: string, start: number, escapeCharacter: string): LogicalLine {
  const parts: Part[] = [];
  const pieces: string[] = [];
  const blankLines: number[] = [];
  let at = start;
  let length = 0;
  for (;;) {
    const { end, next } = physicalLine(file, at);
    const cut = continuationIn(file, at, end, escapeCharacter);
    parts.push({ inFile: at, inText: length });
    pieces.push(file.slice(at, cut ?? end));
    length += (cut ?? end) - at;
    const after = cut === undefined ? next : skipBetween(file, next, blankLines);
    if (cut === undefined || after >= file.length) {
      const untrimmed = pieces.join('');
      return { text: trimSpaceEnd(untrimmed), untrimmed, start, end, next: after, blankLines, parts };
    }
    at = after;
  }
}

/** Index in the file of the character at `index` of the joined text. */
export function indexInFile(line: LogicalLine, index: number): number {
  const part = line.parts[lastPart(line, 'inText', index)];
  return part ? part.inFile + index - part.inText : line.start + index;
}

/** Index in the file behind the text that ends at `index`: never in the part after it. */
export function endInFile(line: LogicalLine, index: number): number {
  return index === 0 ? line.start : indexInFile(line, index - 1) + 1;
}

/** Index in the joined text of what stands at `index` of the file; what is dropped there counts as the start of the next part. */
export function indexInText(line: LogicalLine, index: number): number {
  const at = lastPart(line, 'inFile', index);
  const part = line.parts[at];
  if (!part) return 0;
  const limit = line.parts[at + 1]?.inText ?? line.text.length;
  return Math.min(part.inText + index - part.inFile, limit);
}

/** The content of the physical line at `start` ends before its carriage returns and line feed. */
export function physicalLine(file: string, start: number): { end: number; next: number } {
  const feed = file.indexOf('\n', start);
  let end = feed === -1 ? file.length : feed;
  while (end > start && file[end - 1] === '\r') end--;
  return { end, next: feed === -1 ? file.length : feed + 1 };
}

/** Where the escape character stands that continues the line. Of two of them, as in `\\`, the second is an ordinary character. */
function continuationIn(file: string, start: number, end: number, escapeCharacter: string): number | undefined {
  let at = end - 1;
  while (at >= start && (file[at] === ' ' || file[at] === '\t')) at--;
  if (at < start || file[at] !== escapeCharacter) return undefined;
  return at > start && file[at - 1] === escapeCharacter ? undefined : at;
}

function skipBetween(file: string, start: number, blankLines: number[]): number {
  let at = start;
  while (at < file.length) {
    const { end, next } = physicalLine(file, at);
    let first = at;
    while (first < end && isSpace(file.charCodeAt(first))) first++;
    if (first < end && file[first] !== '#') return at;
    if (first === end) blankLines.push(at);
    at = next;
  }
  return at;
}

function lastPart(line: LogicalLine, by: 'inFile' | 'inText', index: number): number {
  let low = 0;
  let high = line.parts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((line.parts[middle]?.[by] ?? 0) <= index) low = middle;
    else high = middle - 1;
  }
  return low;
}
