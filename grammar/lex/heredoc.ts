import { splitRaw, unquoteRaw } from '../words/expand.ts';
import { physicalLine } from './logical-line.ts';

/** What `<<EOF` announces. */
export interface HeredocStart {
  readonly name: string;
  readonly expand: boolean;
  readonly chomp: boolean;
}

/** The lines that belong to a heredoc. `end` is behind the line that ends it; `contentEnd` before that line. */
export interface HeredocLines {
  readonly start: HeredocStart;
  readonly contentEnd: number;
  readonly end: number;
  readonly terminated: boolean;
}

/** Where a line announces one. */
export interface HeredocAnnouncement extends HeredocStart {
  readonly at: number;
  readonly end: number;
}

/**
 * Reads a whole word as the start of a heredoc: digits may stand before it, white space behind `<<`. A quoted part, but not an escaped one,
 * means that the content is not expanded. Source: BuildKit, `ParseHeredoc`.
 */
export function heredocStart(word: string): HeredocStart | undefined {
  const [, dash, rest] = /^\d*<<(-?)[\t\f\r ]*([^<]*)$/.exec(word) ?? [];
  const read = rest ? unquoteRaw(rest) : undefined;
  const [name, other] = read?.words ?? [];
  if (!read || name === undefined || other !== undefined) return undefined;
  return { name, expand: !read.quoted, chomp: dash === '-' };
}

/** All heredocs that a line announces, in order. Its words are a shell's, whose escape is always a backslash. */
export function heredocStarts(line: string): HeredocAnnouncement[] {
  if (!line.includes('<<')) return [];
  return (splitRaw(line) ?? []).flatMap(({ text, at }) => {
    const start = text.includes('<<') ? heredocStart(text) : undefined;
    return start ? [{ ...start, at, end: at + text.length }] : [];
  });
}

/** Finds where heredocs end. Lines are indexed by content, once, so that many open heredocs do not mean many searches of the file. */
export class HeredocFinder {
  readonly #file: string;
  /** A line that begins so ends a heredoc whose own end is missing, so that the errors after it are still seen. */
  readonly #instruction: RegExp;
  #plain: Map<string, number[]> | undefined;
  #chomped: Map<string, number[]> | undefined;

  constructor(file: string, instructionNames: readonly string[]) {
    this.#file = file;
    this.#instruction = new RegExp(`^(?:${instructionNames.join('|')})[ \\t]`, 'gm');
  }

  /** The lines of each heredoc, the first one from `from`. After one without an end there are no more. */
  find(starts: readonly HeredocStart[], from: number): HeredocLines[] {
    const found: HeredocLines[] = [];
    let at = from;
    for (const start of starts) {
      const lines = this.#linesOf(start, at);
      if (lines.end > at) found.push(lines);
      if (!lines.terminated) break;
      at = lines.end;
    }
    return found;
  }

  #linesOf(start: HeredocStart, from: number): HeredocLines {
    const contentEnd = firstFrom(this.#index(start.chomp).get(start.name) ?? [], from);
    if (contentEnd !== undefined) return { start, contentEnd, end: physicalLine(this.#file, contentEnd).next, terminated: true };
    this.#instruction.lastIndex = from;
    const end = this.#instruction.exec(this.#file)?.index ?? this.#file.length;
    return { start, contentEnd: end, end, terminated: false };
  }

  #index(chomp: boolean): Map<string, number[]> {
    if (chomp) {
      this.#chomped ??= indexLines(this.#file, true);
      return this.#chomped;
    }
    this.#plain ??= indexLines(this.#file, false);
    return this.#plain;
  }
}

function indexLines(file: string, chomp: boolean): Map<string, number[]> {
  const index = new Map<string, number[]>();
  for (let at = 0; at < file.length; ) {
    const { end, next } = physicalLine(file, at);
    let from = at;
    while (chomp && from < end && file[from] === '\t') from++;
    const line = file.slice(from, end);
    const starts = index.get(line);
    if (starts) starts.push(at);
    else index.set(line, [at]);
    at = next;
  }
  return index;
}

function firstFrom(sorted: readonly number[], from: number): number | undefined {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < from) low = middle + 1;
    else high = middle;
  }
  return sorted[low];
}
