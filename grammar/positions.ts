import type { Position, Range } from './ast.ts';

/** Distance between the points for which characters and bytes are counted in advance. */
const CHECKPOINT = 256;

/**
 * Turns indexes of a JavaScript string into lines, columns in characters and offsets in UTF-8 bytes. A byte order mark at the start has
 * three bytes and no column, as in editors.
 */
export class Positions {
  readonly #text: string;
  readonly #lineStarts: number[] = [0];
  /** Characters and bytes before each checkpoint; undefined for plain ASCII, where all three counts are one. */
  readonly #checkpoints: { readonly characters: Uint32Array; readonly bytes: Uint32Array } | undefined;

  constructor(text: string) {
    this.#text = text;
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) this.#lineStarts.push(at + 1);
    this.#checkpoints = isAscii(text) ? undefined : countCheckpoints(text);
  }

  at(index: number): Position {
    const line = this.#lineOf(index);
    const start = this.#lineStarts[line] ?? 0;
    const here = this.#count(index);
    const mark = line === 0 && index > 0 && this.#text.charCodeAt(0) === 0xfeff ? 1 : 0;
    return { line: line + 1, column: here.characters - this.#count(start).characters - mark + 1, offset: here.bytes };
  }

  /** The line alone, from 1. */
  lineAt(index: number): number {
    return this.#lineOf(index) + 1;
  }

  range(start: number, end: number): Range {
    return { start: this.at(start), end: this.at(end) };
  }

  #lineOf(index: number): number {
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #count(index: number): { characters: number; bytes: number } {
    if (!this.#checkpoints) return { characters: index, bytes: index };
    const checkpoint = Math.floor(index / CHECKPOINT);
    const from = { characters: this.#checkpoints.characters[checkpoint] ?? 0, bytes: this.#checkpoints.bytes[checkpoint] ?? 0 };
    return countUnits(this.#text, checkpoint * CHECKPOINT, index, from);
  }
}

/** Length in UTF-8 bytes of `text` between two indexes. */
export function byteLength(text: string, start: number, end: number): number {
  return countUnits(text, start, end, { characters: 0, bytes: 0 }).bytes;
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}

function countCheckpoints(text: string): { characters: Uint32Array; bytes: Uint32Array } {
  const length = Math.floor(text.length / CHECKPOINT) + 1;
  const characters = new Uint32Array(length);
  const bytes = new Uint32Array(length);
  let count = { characters: 0, bytes: 0 };
  for (let checkpoint = 1; checkpoint < length; checkpoint++) {
    count = countUnits(text, (checkpoint - 1) * CHECKPOINT, checkpoint * CHECKPOINT, count);
    characters[checkpoint] = count.characters;
    bytes[checkpoint] = count.bytes;
  }
  return { characters, bytes };
}

/** The second half of a surrogate pair adds nothing to the characters and one byte to the three of the first half. */
function countUnits(text: string, start: number, end: number, from: { characters: number; bytes: number }) {
  let { characters, bytes } = from;
  for (let at = start; at < end; at++) {
    const unit = text.charCodeAt(at);
    const low = (unit & 0xfc00) === 0xdc00 && at > 0 && (text.charCodeAt(at - 1) & 0xfc00) === 0xd800;
    if (!low) characters++;
    bytes += unit < 0x80 || low ? 1 : unit < 0x800 ? 2 : 3;
  }
  return { characters, bytes };
}
