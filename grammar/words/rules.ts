// The grammar of a word with variables.

import { EmbeddedActionsParser, type IRecognitionException, type IToken } from 'chevrotain';
import { FirstTokens } from '../lookahead.ts';
import {
  BraceClose,
  BraceOpen,
  Default,
  Dollar,
  DoubleClose,
  Escaped,
  Name,
  PatternEnd,
  QuoteOpen,
  Replace,
  SingleQuoted,
  Text,
  Trim,
  Variable,
  vocabulary,
} from './tokens.ts';

export type WordNode = readonly PartNode[];

/** A part of a word; `token` is its first. */
export type PartNode =
  | LeafNode
  | { readonly kind: 'quoted'; readonly token: IToken; readonly word: WordNode }
  | { readonly kind: 'substitution'; readonly token: IToken; readonly name: string; readonly operation: Operation | undefined };

interface LeafNode {
  readonly kind: 'text' | 'escaped' | 'single' | 'dollar' | 'variable';
  readonly token: IToken;
}

export interface Operation {
  readonly operator: string;
  /** Two of a replacement, one of the others. */
  readonly operands: readonly WordNode[];
}

export class WordParser extends EmbeddedActionsParser {
  readonly word: () => WordNode = this.RULE('word', () => {
    const parts: PartNode[] = [];
    this.MANY(() => parts.push(this.SUBRULE(this.part)));
    return parts;
  });

  readonly part: () => PartNode = this.RULE(
    'part',
    (): PartNode =>
      this.OR([
        { ALT: () => leaf('text', this.CONSUME(Text)) },
        { ALT: () => leaf('escaped', this.CONSUME(Escaped)) },
        { ALT: () => leaf('single', this.CONSUME(SingleQuoted)) },
        { ALT: () => leaf('dollar', this.CONSUME(Dollar)) },
        { ALT: () => leaf('variable', this.CONSUME(Variable)) },
        { ALT: () => this.SUBRULE(this.quoted) },
        { ALT: () => this.SUBRULE(this.substitution) },
      ]),
  );

  readonly quoted = this.RULE('quoted', (): PartNode => {
    const token = this.CONSUME(QuoteOpen);
    const word = this.SUBRULE(this.word);
    this.CONSUME(DoubleClose);
    return { kind: 'quoted', token, word };
  });

  /** `${name}`, `${name:-word}`, `${name#pattern}`, `${name/pattern/word}` and their like. Before an operator the name may be empty. */
  readonly substitution = this.RULE('substitution', (): PartNode => {
    const token = this.CONSUME(BraceOpen);
    const { name, operation }: { name: string; operation: Operation | undefined } = this.OR([
      {
        ALT: () => {
          const name = this.CONSUME(Name).image;
          const operation = this.OPTION(() => this.SUBRULE1(this.operation));
          return { name, operation };
        },
      },
      { ALT: () => ({ name: '', operation: this.SUBRULE2(this.operation) }) },
    ]);
    this.CONSUME(BraceClose);
    return { kind: 'substitution', token, name, operation };
  });

  readonly operation = this.RULE(
    'operation',
    (): Operation =>
      this.OR([
        { ALT: () => ({ operator: this.CONSUME(Default).image, operands: [this.SUBRULE1(this.word)] }) },
        { ALT: () => ({ operator: this.CONSUME(Trim).image, operands: [this.SUBRULE2(this.word)] }) },
        {
          ALT: () => {
            const operator = this.CONSUME(Replace).image;
            const pattern = this.SUBRULE3(this.word);
            this.CONSUME(PatternEnd);
            return { operator, operands: [pattern, this.SUBRULE4(this.word)] };
          },
        },
      ]),
  );

  constructor({ validate }: { readonly validate: boolean }) {
    super(vocabulary, { maxLookahead: 1, recoveryEnabled: false, skipValidations: !validate, lookaheadStrategy: new FirstTokens() });
    this.performSelfAnalysis();
  }
}

const leaf = (kind: LeafNode['kind'], token: IToken): LeafNode => ({ kind, token });

/** Made when the module is loaded, as the other one. */
const production = new WordParser({ validate: false });

/** The parts of a word, or the first error in it. */
export function parseWord(tokens: IToken[]): { readonly word: WordNode; readonly error: IRecognitionException | undefined } {
  production.input = tokens;
  const word: WordNode | undefined = production.word();
  const [error] = production.errors;
  production.input = [];
  return { word: word ?? [], error };
}
