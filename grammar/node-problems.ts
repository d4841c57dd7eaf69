import type { Instruction, Range } from './ast.ts';
import type { Report } from './diagnostics.ts';
import { shorten } from './instructions/argument-count.ts';
import { instructionNames } from './instructions/index.ts';
import type { Layout } from './instructions/syntax.ts';
import type { HeredocStart } from './lex/heredoc.ts';
import { nearest } from './nearest.ts';
import { splitRaw } from './words/expand.ts';

export function reportOpenHeredoc({ name, chomp }: HeredocStart, range: Range, report: Report): void {
  const message = `the heredoc "${shorten(name)}" has no end`;
  const hint = `a line that holds nothing but ${shorten(name)}${chomp ? ', after tabs,' : ''} ends it`;
  report({ code: 'HEREDOC_UNTERMINATED', message, range, hint });
}

export function reportUnknown(name: string, range: Range, report: Report): void {
  const near = nearest(name, instructionNames);
  const hint = near ? `did you mean ${near}?` : `known are ${instructionNames.join(', ')}`;
  report({ code: 'UNKNOWN_INSTRUCTION', message: `unknown instruction "${shorten(name)}"`, range, hint });
}

export function reportBlankLine(range: Range, report: Report): void {
  const message = 'a blank line inside of an instruction';
  report({ code: 'EMPTY_CONTINUATION', message, range, hint: 'remove the line, or make it a comment' });
}

export function reportNotStrings(range: Range, report: Report): void {
  const message = 'the exec form is an array of strings only';
  report({ code: 'EXEC_FORM_NOT_STRINGS', message, range, hint: 'put every element in double quotes' });
}

/** A `<<E` that is not read as a heredoc, as the words of the line cannot be told from each other: BuildKit says nothing then. */
export function warnOfUnseenHeredoc(layout: Layout, made: Pick<Instruction, 'form' | 'args' | 'argRanges'>, report: Report): void {
  const [range] = made.argRanges;
  if ((layout !== 'script' && layout !== 'files') || made.form === 'exec' || !range) return;
  const text = made.args.join(' ');
  if (!text.includes('<<') || !/(?:^|\s)<<-?\s?["']?\w/.test(text) || splitRaw(text) !== undefined) return;
  const message = 'a "<<" is not read as a heredoc, as the line has an open quote or a substitution of a shell\'s own';
  report({ code: 'HEREDOC_UNSEEN', message, range, hint: 'close the quote, escape it, or put the line into the heredoc' });
}

/** Arrays with single quotes, no quotes, or a comma too many: valid as a shell command, and seldom meant so. */
export function warnOfBrokenExec(layout: Layout, made: Pick<Instruction, 'form' | 'args' | 'argRanges'>, report: Report): void {
  if (made.form === 'exec' || !takesExec.includes(layout)) return;
  const at = layout === 'health' ? 1 : 0;
  if (!made.args[at]?.startsWith('[')) return;
  const text = made.args.slice(at).join(' ');
  const range = made.argRanges[at];
  const otherQuotes = /^\[\s*['\u2018-\u201f]/.test(text) && text.includes(',');
  if (!range || !(otherQuotes || (text.startsWith('["') && text.endsWith(']')))) return;
  const message = `"${shorten(text)}" is not valid JSON, so it is no exec form`;
  report({ code: 'EXEC_FORM_INVALID', message, range, hint: 'elements stand in double quotes, with commas between them only' });
}

const takesExec: readonly Layout[] = ['command', 'script', 'files', 'list', 'health'];
