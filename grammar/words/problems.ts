import { EOF, type IRecognitionException, type IToken } from 'chevrotain';
import { BadOperator, BraceClose, BraceOpen, DoubleClose, PatternEnd, QuoteOpen, Replace, SingleOpen } from './tokens.ts';

/** Quotes and braces inside of each other: far more than anyone writes, far less than the stack holds. */
const DEEPEST = 200;

/** Why the grammar does not take these tokens, in the words of a shell. Without the parser's errors: whether they are too deep for it. */
export function problemOf(tokens: readonly IToken[], errors: readonly IRecognitionException[]): string | undefined {
  const open: IToken[] = [];
  for (const token of tokens) {
    if (opens(token)) open.push(token);
    else if (token.tokenType === BraceClose || token.tokenType === DoubleClose) open.pop();
    if (open.length > DEEPEST) return `more than ${DEEPEST} quotes and braces inside of each other`;
  }
  const [error] = errors;
  if (!error) return undefined;
  const { token } = error;
  if (token.tokenType === SingleOpen) return "a single quote (') is not closed";
  if (token.tokenType === BadOperator && tokens[tokens.indexOf(token) - 1]?.tokenType !== BraceOpen) {
    return `unsupported modifier "${token.image}" in a substitution`;
  }
  const last = open.at(-1);
  if (token.tokenType !== EOF || !last) return 'bad substitution';
  if (last.tokenType !== BraceOpen) return 'a double quote (") is not closed';
  return isInPattern(tokens, last) ? 'a substitution has no second "/"' : 'a substitution has no "}"';
}

function opens(token: IToken): boolean {
  return token.tokenType === BraceOpen || (token.tokenType.CATEGORIES ?? []).includes(QuoteOpen);
}

/** True if the substitution that `open` begins ends inside of its pattern. */
function isInPattern(tokens: readonly IToken[], open: IToken): boolean {
  const after = tokens.slice(tokens.indexOf(open));
  let depth = 0;
  let inPattern = false;
  for (const token of after) {
    if (opens(token)) depth++;
    else if (token.tokenType === BraceClose || token.tokenType === DoubleClose) depth--;
    else if (depth === 1 && token.tokenType === Replace) inPattern = true;
    else if (depth === 1 && token.tokenType === PatternEnd) inPattern = false;
  }
  return inPattern;
}
