import { isSpace } from './space.ts';

/** A stretch of a line, and what it says. */
export interface ReadWord {
  /** Index behind it. */
  readonly end: number;
  readonly value: string;
}

/**
 * A word of ARG, ENV or LABEL: white space ends it unless it is quoted or escaped. Quotes and escapes stay in it. An open quote reaches to
 * the end of the line; an escape character at the very end is dropped. Source: BuildKit, `parseWords`.
 */
export function readQuotedWord(text: string, start: number, escapeCharacter: string): ReadWord {
  let quote = '';
  let at = start;
  for (; at < text.length; at++) {
    const character = text[at] ?? '';
    if (quote) {
      const ends = character === quote;
      const escapes = character === escapeCharacter && quote !== "'";
      if (ends) quote = '';
      else if (escapes) {
        if (at + 1 === text.length) return { end: text.length, value: text.slice(start, at) };
        at++;
      }
    } else if (character === escapeCharacter) {
      if (at + 1 === text.length) return { end: text.length, value: text.slice(start, at) };
      at++;
    } else if (character === '"' || character === "'") quote = character;
    else if (isSpace(text.charCodeAt(at))) break;
  }
  const end = Math.min(at, text.length);
  return { end, value: text.slice(start, end) };
}

/** A flag. Quotes and escapes are removed, and an escape counts in quotes of both kinds. Source: BuildKit, `extractBuilderFlags`. */
export function readFlagWord(text: string, start: number, escapeCharacter: string): ReadWord {
  let quote = '';
  let value = '';
  let at = start;
  for (; at < text.length; at++) {
    const character = text[at] ?? '';
    if (quote ? character === quote : character === '"' || character === "'") quote = quote ? '' : character;
    else if (!quote && isSpace(text.charCodeAt(at))) break;
    else if (character !== escapeCharacter) value += character;
    else if (at + 1 < text.length) value += text[++at] ?? '';
  }
  return { end: Math.min(at, text.length), value };
}
