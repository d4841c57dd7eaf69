import type { SourceRange } from '../../diagnostics/source-range.ts';
import type { Lines } from './rule.ts';

/** Makes ranges of line numbers. The lines are found when the first is asked for. */
export class LineRanges {
  readonly #source: { readonly file: string; readonly text: string };
  #lines: readonly { readonly text: string; readonly offset: number }[] | undefined;

  constructor(source: { readonly file: string; readonly text: string }) {
    this.#source = source;
  }

  /** From the first character of the first line to the end of the last one. */
  of({ first, last }: Lines): SourceRange {
    this.#lines ??= linesOf(this.#source.text);
    const begin = this.#lines[first - 1];
    const end = this.#lines[last - 1];
    const text = (end?.text ?? '').replace(/\r$/, '');
    return {
      ...this.#source,
      start: { line: first, column: 1, offset: begin?.offset ?? 0 },
      end: { line: last, column: [...text].length + 1, offset: (end?.offset ?? 0) + Buffer.byteLength(text) },
    };
  }
}

function linesOf(text: string): { text: string; offset: number }[] {
  let offset = 0;
  return text.split('\n').map((line) => {
    const begin = offset;
    offset += Buffer.byteLength(line) + 1;
    return { text: line, offset: begin };
  });
}
