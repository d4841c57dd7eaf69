import type { Lookup } from './expand.ts';
import { parseGlob, parseSuffixGlob, replaceAll, replaceFirst, trimPrefix, trimSuffix } from './glob.ts';
import type { Operation, PartNode, WordNode } from './rules.ts';
import { expandTemplate } from './template.ts';

/** A part of the result. `splits`: white space in it separates words, as it is not quoted; in text that is so as written, not behind `<<`. */
export interface Piece {
  readonly text: string;
  readonly splits: 'text' | 'value' | undefined;
  /** Where it stands in the word. */
  readonly at: number;
  /** It has an operator somewhere. Where words are split, BuildKit forgets what the word had before it. */
  readonly forgets?: boolean;
}

/** What stays as it is written. Source: BuildKit, `RawQuotes` and `SkipUnsetEnv`. */
export interface Keep {
  readonly quotes: boolean;
  readonly unset: boolean;
}

/** Longest result, in characters. Variables can double each other, and the twentieth line of that is a million times the first. */
const LIMIT = 32 * 1024 * 1024;

/** One walk over the tree of a word. The first error stays; what is computed after it does not count. */
export class Evaluation {
  error: string | undefined;
  readonly #unset = new Set<string>();
  readonly #lookup: Lookup;
  readonly #keep: Keep;
  #length = 0;
  #operations = 0;

  constructor(lookup: Lookup, keep: Keep = { quotes: false, unset: false }) {
    this.#lookup = lookup;
    this.#keep = keep;
  }

  pieces(word: WordNode): Piece[] {
    return word.map((part) => {
      const before = this.#operations;
      const piece = this.#piece(part);
      return this.#operations === before ? piece : { ...piece, forgets: true };
    });
  }

  /** Names that were looked up in vain, in order. */
  get unset(): string[] {
    return [...this.#unset];
  }

  #text(word: WordNode): string {
    if (this.error !== undefined) return '';
    return this.pieces(word)
      .map(({ text }) => text)
      .join('');
  }

  #piece(part: PartNode): Piece {
    const { kind, token } = part;
    const { image, startOffset: at } = token;
    switch (kind) {
      case 'text':
        return { text: image, splits: 'text', at };
      case 'escaped':
        return { text: String(token.payload), splits: undefined, at };
      case 'single':
        return { text: this.#quote("'", image.slice(1, -1)), splits: undefined, at };
      case 'dollar':
        return { text: '$', splits: 'value', at };
      case 'variable':
        return { text: this.#bounded(this.#valueOf(image.slice(1)) ?? (this.#keep.unset ? image : '')), splits: 'value', at };
      case 'quoted':
        return { text: this.#quote('"', this.#text(part.word)), splits: undefined, at };
      case 'substitution':
        return { text: this.#bounded(this.#substitute(part.name, part.operation)), splits: 'value', at };
    }
  }

  #quote(mark: string, text: string): string {
    return this.#keep.quotes ? mark + text + mark : text;
  }

  /** Operands come first, used or not: their unset names and errors count. */
  #substitute(name: string, operation: Operation | undefined): string {
    if (operation) this.#operations++;
    const { operator, operands = [] } = operation ?? {};
    const [first = '', second = ''] = operands.map((operand) => this.#text(operand));
    if (this.error !== undefined) return '';
    const value = this.#valueOf(name);
    // As BuildKit writes it, which forgets the second of two slashes.
    if (this.#keep.unset && value === undefined) {
      return operator?.startsWith('/') ? `\${${name}/${first}/${second}}` : `\${${name}${operator ?? ''}${first}}`;
    }
    if (operator === undefined) return value ?? '';
    if (operator.startsWith('/')) return this.#replace(value ?? '', first, operator, second);
    if (/^[#%]/.test(operator)) return this.#trim(value ?? '', first, operator);
    const counts = value !== undefined && !(operator.startsWith(':') && value === '');
    if (operator.endsWith('-')) return counts ? value : first;
    if (operator.endsWith('+')) return counts ? first : '';
    if (!counts) return this.#fail(`${name}: ${first || `is not allowed to be ${value === undefined ? 'unset' : 'empty'}`}`);
    return value;
  }

  /** Doubled, the operator means the longest match. BuildKit looks for the second one in the pattern as it came out: it may be of a variable. */
  #trim(value: string, operand: string, operator: string): string {
    const doubled = operand.startsWith(operator);
    const pattern = doubled ? operand.slice(1) : operand;
    const glob = operator === '#' ? parseGlob(pattern) : parseSuffixGlob(pattern);
    if (typeof glob === 'string') return this.#fail(glob);
    const which = doubled ? 'longest' : 'shortest';
    return operator === '#' ? trimPrefix(value, glob, which) : trimSuffix(value, glob, which);
  }

  #replace(value: string, pattern: string, operator: string, replacement: string): string {
    const glob = parseGlob(pattern);
    if (typeof glob === 'string') return this.#fail(glob);
    if (operator === '/') return replaceFirst(value, glob, replacement);
    return replaceAll(value, glob, (match) => expandTemplate(replacement, match), LIMIT) ?? this.#failOfLength();
  }

  #valueOf(name: string): string | undefined {
    const value = this.#lookup(name);
    if (value === undefined) this.#unset.add(name);
    return value;
  }

  #bounded(text: string): string {
    this.#length += text.length;
    return this.#length > LIMIT ? this.#failOfLength() : text;
  }

  #failOfLength(): string {
    return this.#fail(`the result has more than ${LIMIT} characters`);
  }

  #fail(message: string): string {
    this.error ??= message;
    return '';
  }
}
