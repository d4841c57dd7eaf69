import { isSpace } from './logical-line.ts';

/** Index behind the word at `start`: white space ends it unless it is quoted or escaped. An open quote reaches to the end of the text. */
export function quotedWordEnd(text: string, start: number, escapeCharacter: string): number {
  let quote = '';
  let at = start;
  for (; at < text.length; at++) {
    const character = text[at] ?? '';
    if (character === escapeCharacter && quote !== "'") at++;
    else if (quote) quote = character === quote ? '' : quote;
    else if (character === '"' || character === "'") quote = character;
    else if (isSpace(text.charCodeAt(at))) return at;
  }
  return Math.min(at, text.length);
}

/** Removes quotes and escapes from a word; undefined when a quote is left open. */
export function unquote(word: string): string | undefined {
  let quote = '';
  let text = '';
  for (let at = 0; at < word.length; at++) {
    const character = word[at] ?? '';
    if (character === '\\' && quote !== "'") text += word[++at] ?? '';
    else if (character === quote) quote = '';
    else if (!quote && (character === '"' || character === "'")) quote = character;
    else text += character;
  }
  return quote ? undefined : text;
}
