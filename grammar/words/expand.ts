import { isSpace } from '../lex/space.ts';
import { Evaluation, type Keep, type Piece } from './evaluate.ts';
import { problemOf } from './problems.ts';
import { parseWord } from './rules.ts';
import { hasQuotes, tokenizeWord } from './tokens.ts';

/** What became of a word. */
export interface Expansion {
  readonly text: string;
  /** Names used but not set, in order. */
  readonly unset: readonly string[];
  /** Why it cannot be expanded; `text` is empty then. */
  readonly error?: string;
}

/** The same, split into words. */
export interface WordsExpansion {
  readonly words: readonly string[];
  readonly unset: readonly string[];
  readonly error?: string;
}

export interface ExpandOptions {
  readonly escape: '\\' | '`';
  /** `remove` for the words of instructions, `keep` for the bodies of heredocs, where quotes are ordinary characters. */
  readonly quotes: 'remove' | 'keep';
}

export type Lookup = (name: string) => string | undefined;

/**
 * Expands variables, and removes quotes and escapes, as BuildKit does: close to a shell, but operands are expanded whether they are used
 * or not, and patterns have no brackets. Never throws.
 */
export function expandWord(word: string, lookup: Lookup, options: ExpandOptions): Expansion {
  const { pieces, unset, error } = expandPieces(word, lookup, options);
  return error === undefined ? { text: pieces.map(({ text }) => text).join(''), unset } : { text: '', unset, error };
}

/** As expandWord; what is neither quoted nor escaped, variables' values too, is split at white space. For EXPOSE. */
export function expandWords(word: string, lookup: Lookup, options: ExpandOptions): WordsExpansion {
  const { pieces, unset, error } = expandPieces(word, lookup, options);
  return error === undefined ? { words: splitPieces(pieces).map(({ text }) => text), unset } : { words: [], unset, error };
}

/** A word of a line that was taken apart, and where it begins. */
export interface RawWord {
  readonly text: string;
  readonly at: number;
}

/**
 * The words of a line as BuildKit sees them when it looks for heredocs: nothing is expanded, quotes and escapes stay. Undefined where a
 * quote or a brace is open or a substitution has an operator that it does not know: then it sees no words at all.
 */
export function splitRaw(line: string): readonly RawWord[] | undefined {
  const { pieces, error } = expandPieces(line, () => undefined, rawOptions, { quotes: true, unset: true, escapes: true });
  return error === undefined ? splitPieces(pieces) : undefined;
}

/** The words without quotes and escapes, and whether there were quotes; variables stay as written. */
export function unquoteRaw(word: string): { readonly words: readonly string[]; readonly quoted: boolean } | undefined {
  const { pieces, error } = expandPieces(word, () => undefined, rawOptions, { quotes: false, unset: true, escapes: false });
  if (error !== undefined) return undefined;
  return { words: splitPieces(pieces).map(({ text }) => text), quoted: hasQuotes(tokenizeWord(word, rawOptions)) };
}

const rawOptions: ExpandOptions = { escape: '\\', quotes: 'remove' };

interface Pieces {
  readonly pieces: readonly Piece[];
  readonly unset: readonly string[];
  readonly error: string | undefined;
}

function expandPieces(source: string, lookup: Lookup, options: ExpandOptions, raw?: Keep & { readonly escapes: boolean }): Pieces {
  // Go's scanner skips a byte order mark at the start of any text.
  const word = source.charCodeAt(0) === 0xfeff ? source.slice(1) : source;
  if (!/[$'"\\`]/.test(word)) return { pieces: [{ text: word, splits: 'text', at: 0 } satisfies Piece], unset: [], error: undefined };
  const tokens = tokenizeWord(word, options, raw?.escapes ? 'rawWord' : 'word');
  const problem = problemOf(tokens, []);
  if (problem !== undefined) return { pieces: [], unset: [], error: problem };
  const { word: node, error } = parseWord(tokens);
  if (error) return { pieces: [], unset: [], error: problemOf(tokens, [error]) };
  const evaluation = new Evaluation(lookup, raw);
  const pieces = evaluation.pieces(node);
  return { pieces, unset: evaluation.unset, error: evaluation.error };
}

/** White space that Go knows; the one behind `<<` belongs to a heredoc's name, and does not part words. */
const PARTS = {
  text: /<<[\t\r ]*|[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+|[^\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000<]+|</g,
  value:
    /[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+|[^\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/g,
};

function splitPieces(pieces: readonly Piece[]): RawWord[] {
  const words: RawWord[] = [];
  let word: { text: string; at: number } | undefined;
  const add = (text: string, at: number): void => {
    if (word) word.text += text;
    else word = { text, at };
  };
  for (const { text, splits, at, forgets } of pieces) {
    if (word && forgets) word.text = '';
    if (!splits) {
      add(text, at);
      continue;
    }
    for (const { 0: part, index } of text.matchAll(PARTS[splits])) {
      if (!isSpace(part.charCodeAt(0))) add(part, splits === 'text' ? at + index : at);
      else if (word) {
        if (word.text !== '') words.push(word);
        word = undefined;
      }
    }
  }
  if (word && word.text !== '') words.push(word);
  return words;
}
