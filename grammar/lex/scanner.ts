import type { CustomPatternMatcherReturn, IToken } from 'chevrotain';
import { HeredocFinder, type HeredocLines, type HeredocStart, heredocStart, heredocStarts } from './heredoc.ts';
import type { LogicalLine } from './logical-line.ts';
import { endInFile, indexInFile, indexInText, isSpace, physicalLine, readLogicalLine } from './logical-line.ts';
import { quotedWordEnd } from './quoted-word.ts';

/** What tokens carry besides the stretch of the file that they cover. */
export interface Payload {
  /** The joined text of the token; of a JSON string its value. */
  readonly value: string;
  /** Of names: the line that they begin, and where in its text. */
  readonly line?: LogicalLine;
  readonly at?: number;
  /** Of names at the start of a line: the comments above. */
  readonly comments?: readonly string[];
  /** Of words and scripts: the heredocs that they announce. */
  readonly starts?: readonly HeredocStart[];
  /** Of heredoc bodies. */
  readonly heredoc?: HeredocLines;
  /** Of directives: `value` is the name. */
  readonly setting?: string;
}

type Match = CustomPatternMatcherReturn | null;

const DIRECTIVES = ['syntax', 'escape', 'check'];

/**
 * What the token patterns ask, for one file. It knows the escape character, the logical line at hand and the heredocs that are still to
 * come; which pattern is asked where, the modes in tokens.ts say.
 */
export class Scanner {
  readonly #file: string;
  readonly #finder: HeredocFinder;
  #escape: '\\' | '`' = '\\';
  #escapeIsFixed = false;
  #line: LogicalLine | undefined;
  #word = { at: -1, text: '' };
  #announced: HeredocStart[] = [];
  #bodies: HeredocLines[] = [];
  #nextBody = 0;
  #comments: string[] = [];

  constructor(file: string, instructionNames: readonly string[]) {
    this.#file = file;
    this.#finder = new HeredocFinder(file, instructionNames);
  }

  /** Between instructions: white space, line breaks, and lines that hold nothing but a continuation. */
  blank(offset: number): Match {
    let end = offset;
    while (end < this.#file.length && isSpace(this.#file.charCodeAt(end))) end++;
    if (end === offset && this.#file[offset] === this.#escape) end = this.#contentFrom(offset);
    return this.#skip(offset, end);
  }

  comment(offset: number): Match {
    if (this.#file[offset] !== '#') return null;
    const { end } = physicalLine(this.#file, offset);
    const lineStart = Math.max(this.#file.lastIndexOf('\n', offset - 1) + 1, this.#file.charCodeAt(0) === 0xfeff ? 1 : 0);
    const text = this.#file.slice(offset === lineStart ? offset + 1 : offset, end).trim();
    if (text === '') this.#comments = [];
    else this.#comments.push(text);
    return this.#skip(offset, end);
  }

  /** `#!` on the first line. */
  shebang(offset: number): Match {
    const first = offset === 0 || (offset === 1 && this.#file.charCodeAt(0) === 0xfeff);
    if (!first || !this.#file.startsWith('#!', offset)) return null;
    // As in BuildKit, whose search for the escape directive ends at this line, though not the one for the others.
    this.#escapeIsFixed = true;
    return this.#raw(offset, physicalLine(this.#file, offset).end, { value: '#!' });
  }

  /** `# name=value`, known names only, on the first lines of the file with nothing but other directives before. */
  directive(offset: number, before: IToken | undefined): Match {
    if (this.#file[offset] !== '#' || !this.#isDirectlyBelow(offset, before)) return null;
    const { end } = physicalLine(this.#file, offset);
    const equals = this.#file.indexOf('=', offset);
    if (equals === -1 || equals >= end) return null;
    const value = this.#file
      .slice(offset + 1, equals)
      .trim()
      .toLowerCase();
    const setting = this.#file.slice(equals + 1, end).trim();
    if (!DIRECTIVES.includes(value) || setting === '') return null;
    if (value === 'escape' && !this.#escapeIsFixed) {
      if (setting === '`') this.#escape = '`';
      this.#escapeIsFixed = true;
    }
    return this.#raw(offset, end, { value, setting });
  }

  /** The one that the head of the file sets, once the lexer is past it. */
  get escape(): '\\' | '`' {
    return this.#escape;
  }

  /** The first word of an instruction, if it is `name` (lower case), or any. */
  name(offset: number, name?: string): Match {
    const line = this.#lineAt(offset);
    const at = indexInText(line, offset);
    if (this.#word.at !== offset) this.#word = { at: offset, text: line.text.slice(at, wordEnd(line.text, at)) };
    const { text } = this.#word;
    if (text === '' || (name !== undefined && (text.length !== name.length || text.toLowerCase() !== name))) return null;
    const comments = this.#comments;
    this.#comments = [];
    return this.#token(offset, at, at + text.length, { value: text, line, at, comments });
  }

  /** White space and continuations inside an instruction. */
  gap(offset: number): Match {
    return this.#skip(offset, this.#contentFrom(offset));
  }

  endOfLine(offset: number): Match {
    const line = this.#lineAt(offset);
    return indexInText(line, offset) >= line.text.length ? this.#raw(offset, line.next, { value: '' }) : null;
  }

  /** The same where heredocs follow. */
  endOfLineBeforeHeredoc(offset: number): Match {
    const match = this.#announced.length > 0 ? this.endOfLine(offset) : null;
    if (!match) return null;
    this.#bodies = this.#finder.find(this.#announced, this.#lineAt(offset).next);
    this.#announced = [];
    this.#nextBody = 0;
    return this.#bodies.length > 0 ? match : null;
  }

  /** The body of the next heredoc that was announced, with the line that ends it. */
  heredocBody(offset: number, which: 'last' | 'other'): Match {
    const heredoc = this.#bodies[this.#nextBody];
    if (!heredoc || (this.#nextBody === this.#bodies.length - 1) !== (which === 'last')) return null;
    this.#nextBody++;
    const body = this.#file.slice(offset, heredoc.contentEnd);
    return this.#raw(offset, heredoc.end, { value: body, heredoc });
  }

  /** `--name` or `--name=value`. */
  flag(offset: number): Match {
    const { text, at } = this.#here(offset);
    if (!text.startsWith('--', at)) return null;
    const end = quotedWordEnd(text, at, '\\');
    return end === at + 2 ? null : this.#token(offset, at, end);
  }

  /** `--` alone: no flags after it. */
  flagEnd(offset: number): Match {
    const { text, at } = this.#here(offset);
    return text.startsWith('--', at) && wordEnd(text, at) === at + 2 ? this.#token(offset, at, at + 2) : null;
  }

  word(offset: number): Match {
    const { text, at } = this.#here(offset);
    return this.#token(offset, at, wordEnd(text, at));
  }

  quotedWord(offset: number): Match {
    const { text, at } = this.#here(offset);
    return this.#token(offset, at, quotedWordEnd(text, at, this.#escape));
  }

  /** `<<EOF` as a word of its own. */
  heredocWord(offset: number): Match {
    const { text, at } = this.#here(offset);
    if (!/\d|</.test(text[at] ?? '')) return null;
    const end = quotedWordEnd(text, at, '\\');
    const start = heredocStart(text.slice(at, end));
    if (!start) return null;
    this.#announced.push(start);
    return this.#token(offset, at, end, { value: text.slice(at, end), starts: [start] });
  }

  /** The name in `ENV name rest of line`: what it is when the first word has no `=`. */
  legacyName(offset: number): Match {
    const { text, at } = this.#here(offset);
    if (text.slice(at, quotedWordEnd(text, at, this.#escape)).includes('=')) return null;
    return this.#token(offset, at, wordEnd(text, at));
  }

  /** The rest of the line. */
  text(offset: number): Match {
    const { text, at } = this.#here(offset);
    return this.#token(offset, at, text.length);
  }

  /** The rest of the line, as a script that can announce heredocs. */
  script(offset: number): Match {
    const { text, at } = this.#here(offset);
    const value = text.slice(at);
    this.#announced = heredocStarts(value);
    return this.#token(offset, at, text.length, { value, starts: this.#announced });
  }

  /** The `[` of a valid JSON array of strings. */
  execOpen(offset: number): Match {
    const { text, at } = this.#here(offset);
    return text[at] === '[' && jsonArray(text.slice(at)) === 'strings' ? this.#token(offset, at, at + 1) : null;
  }

  /** A valid JSON array that has something else than strings. */
  execNotStrings(offset: number): Match {
    const { text, at } = this.#here(offset);
    return text[at] === '[' && jsonArray(text.slice(at)) === 'other' ? this.#token(offset, at, text.length) : null;
  }

  jsonString(offset: number): Match {
    const { text, at } = this.#here(offset);
    if (text[at] !== '"') return null;
    let end = at + 1;
    while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
    const value: unknown = JSON.parse(text.slice(at, end + 1));
    return this.#token(offset, at, end + 1, { value: String(value).toWellFormed() });
  }

  jsonMark(offset: number, mark: string): Match {
    const { text, at } = this.#here(offset);
    return text[at] === mark ? this.#token(offset, at, at + 1) : null;
  }

  #isDirectlyBelow(offset: number, before: IToken | undefined): boolean {
    const from = before ? before.startOffset + before.image.length : 0;
    const feed = this.#file.indexOf('\n', from);
    if (feed === -1 || feed >= offset) return before === undefined;
    if (before === undefined) return false;
    const second = this.#file.indexOf('\n', feed + 1);
    return second === -1 || second > offset;
  }

  #contentFrom(offset: number): number {
    const line = this.#lineAt(offset);
    let at = indexInText(line, offset);
    while (at < line.text.length && isSpace(line.text.charCodeAt(at))) at++;
    return at >= line.text.length ? line.next : indexInFile(line, at);
  }

  #lineAt(offset: number): LogicalLine {
    if (!this.#line || offset < this.#line.start || offset >= this.#line.next) {
      this.#line = readLogicalLine(this.#file, offset, this.#escape);
      // A line that never had a chance to announce its heredocs' bodies must not leave them to the next one.
      this.#announced = [];
    }
    return this.#line;
  }

  #here(offset: number): { text: string; at: number } {
    const line = this.#lineAt(offset);
    return { text: line.text, at: indexInText(line, offset) };
  }

  #token(offset: number, from: number, to: number, payload?: Payload): Match {
    const line = this.#lineAt(offset);
    return this.#raw(offset, endInFile(line, to), payload ?? { value: line.text.slice(from, to) });
  }

  #skip(offset: number, end: number): Match {
    return end > offset ? [this.#file.slice(offset, end)] : null;
  }

  #raw(offset: number, end: number, payload: Payload): Match {
    return Object.assign([this.#file.slice(offset, end)] satisfies [string], { payload });
  }
}

function wordEnd(text: string, start: number): number {
  let end = start;
  while (end < text.length && !isSpace(text.charCodeAt(end))) end++;
  return end;
}

function jsonArray(text: string): 'strings' | 'other' | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!Array.isArray(value)) return undefined;
    return value.every((element) => typeof element === 'string') ? 'strings' : 'other';
  } catch {
    // Not JSON: the shell form. This is what decides between the two, and no error.
    return undefined;
  }
}
