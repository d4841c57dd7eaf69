// The grammar of a word with variables.

import { type CstNode, CstParser, type IRecognitionException, type IToken } from 'chevrotain';
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

export class WordParser extends CstParser {
  readonly word: (at?: number) => CstNode = this.RULE('word', () => {
    this.MANY(() => this.SUBRULE(this.part));
  });

  readonly part = this.RULE('part', () => {
    this.OR([
      { ALT: () => this.CONSUME(Text) },
      { ALT: () => this.CONSUME(Escaped) },
      { ALT: () => this.CONSUME(SingleQuoted) },
      { ALT: () => this.CONSUME(Dollar) },
      { ALT: () => this.CONSUME(Variable) },
      { ALT: () => this.SUBRULE(this.quoted) },
      { ALT: () => this.SUBRULE(this.substitution) },
    ]);
  });

  readonly quoted = this.RULE('quoted', () => {
    this.CONSUME(QuoteOpen);
    this.SUBRULE(this.word);
    this.CONSUME(DoubleClose);
  });

  /** `${name}`, `${name:-word}`, `${name#pattern}`, `${name/pattern/word}` and their like. Before an operator the name may be empty. */
  readonly substitution = this.RULE('substitution', () => {
    this.CONSUME(BraceOpen);
    this.OR([
      {
        ALT: () => {
          this.CONSUME(Name);
          this.OPTION(() => this.SUBRULE1(this.operation));
        },
      },
      { ALT: () => this.SUBRULE2(this.operation) },
    ]);
    this.CONSUME(BraceClose);
  });

  readonly operation = this.RULE('operation', () => {
    this.OR([
      {
        ALT: () => {
          this.CONSUME(Default, { LABEL: 'operator' });
          this.SUBRULE1(this.word, { LABEL: 'operand' });
        },
      },
      {
        ALT: () => {
          this.CONSUME(Trim, { LABEL: 'operator' });
          this.SUBRULE2(this.word, { LABEL: 'operand' });
        },
      },
      {
        ALT: () => {
          this.CONSUME(Replace, { LABEL: 'operator' });
          this.SUBRULE3(this.word, { LABEL: 'operand' });
          this.CONSUME(PatternEnd);
          this.SUBRULE4(this.word, { LABEL: 'operand' });
        },
      },
    ]);
  });

  constructor({ validate }: { readonly validate: boolean }) {
    super(vocabulary, { maxLookahead: 1, recoveryEnabled: false, skipValidations: !validate, lookaheadStrategy: new FirstTokens() });
    this.performSelfAnalysis();
  }
}

let production: WordParser | undefined;

/** The concrete tree of a word, or the first error in it. */
export function parseWord(tokens: IToken[]): { readonly tree: CstNode; readonly error: IRecognitionException | undefined } {
  production ??= new WordParser({ validate: false });
  production.input = tokens;
  const tree = production.word();
  const [error] = production.errors;
  production.input = [];
  return { tree, error };
}
