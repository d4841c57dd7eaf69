import { Evaluation, type Piece } from './evaluate.ts';
import { problemOf } from './problems.ts';
import { parseWord } from './rules.ts';
import { tokenizeWord } from './tokens.ts';

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
  return error === undefined ? { words: splitPieces(pieces), unset } : { words: [], unset, error };
}

function expandPieces(word: string, lookup: Lookup, options: ExpandOptions) {
  if (!/[$'"\\`]/.test(word)) return { pieces: [{ text: word, splits: true }], unset: [], error: undefined };
  const tokens = tokenizeWord(word, options);
  const problem = problemOf(tokens, []);
  if (problem !== undefined) return { pieces: [], unset: [], error: problem };
  const { tree, error } = parseWord(tokens);
  if (error) return { pieces: [], unset: [], error: problemOf(tokens, [error]) };
  const evaluation = new Evaluation(lookup);
  const pieces = evaluation.pieces(tree);
  return { pieces, unset: evaluation.unset, error: evaluation.error };
}

function splitPieces(pieces: readonly Piece[]): string[] {
  const words: string[] = [];
  let word = '';
  for (const { text, splits } of pieces) {
    if (!splits) {
      word += text;
      continue;
    }
    const [first = '', ...others] = text.split(/\s+/);
    word += first;
    for (const other of others) {
      if (word !== '') words.push(word);
      word = other;
    }
  }
  if (word !== '') words.push(word);
  return words;
}
