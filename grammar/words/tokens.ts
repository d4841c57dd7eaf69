// The vocabulary of a word with variables. Modes: `word` outside of everything, `quoted` in double quotes, `brace` behind "${", then
// `operand` up to "}", or `pattern` up to "/" and `raw` up to "}". In `pattern`, `raw` and `rawQuoted` an escape character is kept, as
// the pattern has its own use for it. Source: BuildKit's shell lexer, whose order of decisions this follows.

import { type CustomPatternMatcherReturn, createToken, type IToken, Lexer, type TokenType } from 'chevrotain';
import type { ExpandOptions } from './expand.ts';

type Match = CustomPatternMatcherReturn | null;
type Pattern = (text: string, offset: number, before: IToken | undefined) => Match;
type Options = Omit<Parameters<typeof createToken>[0], 'name' | 'pattern'>;

/** Of the word at hand. The lexer runs to its end before another begins. */
let options: ExpandOptions = { escape: '\\', quotes: 'remove' };

const token = (name: string, pattern: Pattern, more: Options = {}): TokenType =>
  createToken({
    name,
    pattern: (text: string, offset: number, matched: IToken[]) => pattern(text, offset, matched.at(-1)),
    line_breaks: true,
    ...more,
  });

const category = (name: string) => createToken({ name, pattern: Lexer.NA });

export const Text = category('Text');
export const Escaped = category('Escaped');
export const QuoteOpen = category('QuoteOpen');

const NAME = String.raw`(?:\p{Nd}+|[@*#?$!-]|[\p{L}_][\p{L}\p{Nd}_]*)`;

export const Variable = token('Variable', sticky(new RegExp(`\\$${NAME}`, 'uy')));
export const BraceOpen = token('BraceOpen', sticky(/\$\{/y), { push_mode: 'brace' });
/** A "$" that begins nothing. */
export const Dollar = token('Dollar', sticky(/\$/y));
export const SingleQuoted = token('SingleQuoted', onlyWhenRemoved(/'[^']*'/y));
/** A single quote that nothing closes. */
export const SingleOpen = token('SingleOpen', onlyWhenRemoved(/'/y));
export const DoubleClose = token('DoubleClose', sticky(/"/y), { pop_mode: true });
const DoubleOpen = token('DoubleOpen', onlyWhenRemoved(/"/y), { push_mode: 'quoted', categories: [QuoteOpen] });
const RawDoubleOpen = token('RawDoubleOpen', onlyWhenRemoved(/"/y), { push_mode: 'rawQuoted', categories: [QuoteOpen] });

export const Name = token('Name', (text, offset, before) => (before?.tokenType === BraceOpen ? name(text, offset) : null));
const name = matcher(new RegExp(NAME, 'uy'));
/** A name may be missing before it, but not before a colon. */
export const Default = token(
  'Default',
  (text, at, before) => (before?.tokenType === BraceOpen && text[at] === ':' ? null : modifier(text, at)),
  {
    pop_mode: true,
    push_mode: 'operand',
  },
);
const modifier = matcher(/:?[-+?]/y);
export const Trim = token('Trim', sticky(/[#%]/y), { pop_mode: true, push_mode: 'raw' });
export const Replace = token('Replace', sticky(/\/\/?/y), { pop_mode: true, push_mode: 'pattern' });
export const PatternEnd = token('PatternEnd', sticky(/\//y), { pop_mode: true, push_mode: 'raw' });
export const BraceClose = token('BraceClose', sticky(/\}/y), { pop_mode: true });
export const BadOperator = token('BadOperator', sticky(/:?./suy));

// Escapes: what stays of one is its payload.
const Escape = escaped('Escape', (_, next) => next);
const RawEscape = escaped('RawEscape', (escapeCharacter, next) => escapeCharacter + next);
const QuotedEscape = quotedEscape('QuotedEscape', '', 1);
const RawQuotedEscape = quotedEscape('RawQuotedEscape', 'kept', 2);

const WordText = run('WordText', '');
const OperandText = run('OperandText', '}');
const PatternText = run('PatternText', '/');
const QuotedText = token('QuotedText', (text, offset) => runs(text, offset, '"', false), { categories: [Text] });

const variables = [BraceOpen, Variable, Dollar];
const quotes = [SingleQuoted, SingleOpen];

const modes = {
  word: [WordText, ...variables, Escape, ...quotes, DoubleOpen],
  quoted: [DoubleClose, QuotedText, ...variables, QuotedEscape],
  rawQuoted: [DoubleClose, QuotedText, ...variables, RawQuotedEscape],
  brace: [Name, BraceClose, Default, Trim, Replace, BadOperator],
  /** As `word`, for lines that are only taken apart: escapes stay. */
  rawWord: [WordText, ...variables, RawEscape, ...quotes, RawDoubleOpen],
  operand: [BraceClose, OperandText, ...variables, Escape, ...quotes, DoubleOpen],
  raw: [BraceClose, OperandText, ...variables, RawEscape, ...quotes, RawDoubleOpen],
  pattern: [PatternEnd, PatternText, ...variables, RawEscape, ...quotes, RawDoubleOpen],
};

export const vocabulary: TokenType[] = [...new Set([Text, Escaped, QuoteOpen, ...Object.values(modes).flat()])];

const lexer = new Lexer({ modes, defaultMode: 'word' }, { positionTracking: 'onlyOffset', skipValidations: true, safeMode: true });

/** Takes a word apart. The last patterns of each mode take any character, so there are no errors here. */
export function tokenizeWord(word: string, expandOptions: ExpandOptions, mode: 'word' | 'rawWord' = 'word'): IToken[] {
  options = expandOptions;
  return lexer.tokenize(word, mode).tokens;
}

/** True if a part of the word is quoted. */
export function hasQuotes(tokens: readonly IToken[]): boolean {
  return tokens.some(({ tokenType }) => tokenType === SingleQuoted || tokenType === DoubleOpen || tokenType === RawDoubleOpen);
}

function matcher(pattern: RegExp): (text: string, offset: number) => Match {
  return (text, offset) => {
    pattern.lastIndex = offset;
    const [image] = pattern.exec(text) ?? [];
    return image ? [image] : null;
  };
}

function sticky(pattern: RegExp): Pattern {
  return matcher(pattern);
}

function onlyWhenRemoved(pattern: RegExp): Pattern {
  const match = matcher(pattern);
  return (text, offset) => (options.quotes === 'remove' ? match(text, offset) : null);
}

/** Ordinary characters, up to `stop` or a special one. */
function run(tokenName: string, stop: string): TokenType {
  return token(tokenName, (text, offset) => runs(text, offset, stop, options.quotes === 'remove'), { categories: [Text] });
}

function runs(text: string, offset: number, stop: string, stopAtQuotes: boolean): Match {
  let end = offset;
  for (; end < text.length; end++) {
    const character = text[end];
    if (character === options.escape || character === '$' || character === stop) break;
    if (stopAtQuotes && (character === '"' || character === "'")) break;
  }
  return end > offset ? [text.slice(offset, end)] : null;
}

function escaped(tokenName: string, keep: (escapeCharacter: string, next: string) => string): TokenType {
  const pattern = (text: string, offset: number): Match => {
    if (text[offset] !== options.escape) return null;
    const next = text[offset + 1] ?? '';
    return withPayload(options.escape + next, keep(options.escape, next));
  };
  return token(tokenName, pattern, { categories: [Escaped] });
}

/** In double quotes an escape counts only before a quote, a dollar and itself; before others it is `times` itself. */
function quotedEscape(tokenName: string, mode: '' | 'kept', times: number): TokenType {
  const pattern = (text: string, offset: number): Match => {
    if (text[offset] !== options.escape) return null;
    const next = text[offset + 1] ?? '';
    if (next === '"' || next === '$' || next === options.escape) {
      return withPayload(options.escape + next, mode === 'kept' ? options.escape + next : next);
    }
    return withPayload(options.escape, options.escape.repeat(times));
  };
  return token(tokenName, pattern, { categories: [Escaped] });
}

function withPayload(image: string, payload: string): Match {
  return Object.assign([image] satisfies [string], { payload });
}
