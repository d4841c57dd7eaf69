import type { CustomPatternMatcherReturn, IToken } from 'chevrotain';
import type { Layout } from '../instructions/syntax.ts';
import { type HeredocAnnouncement, HeredocFinder, type HeredocLines, heredocStarts } from './heredoc.ts';
import type { LogicalLine } from './logical-line.ts';
import { endInFile, indexInFile, indexInText, physicalLine, readLogicalLine } from './logical-line.ts';
import { type ReadWord, readFlagWord, readQuotedWord } from './quoted-word.ts';
import { isSeparator, isSpace, skipSpace, trimSpace, wordEnd } from './space.ts';

/** What tokens carry besides the stretch of the file that they cover. */
export interface Payload {
  /** The joined text of the token; of a JSON string its value. */
  readonly value: string;
  /** Of names: the line that they begin, and where in its text. */
  readonly line?: LogicalLine;
  readonly at?: number;
  /** Of names at the start of a line: the comments above. */
  readonly comments?: readonly string[];
  /** Of line ends: the heredocs that the line announces. */
  readonly starts?: readonly HeredocAnnouncement[];
  /** Of heredoc bodies. */
  readonly heredoc?: HeredocLines;
  /** Of directives, whose `value` is the name. Of flags: without quotes and escapes. Of heredoc bodies: with leading tabs. */
  readonly setting?: string;
  /** Of directives: it is indented, or one above is, or `#!`. */
  readonly hidden?: boolean;
}

/** What the scanner has to know of the instructions. */
interface Language {
  readonly names: readonly string[];
  readonly layoutOf: (name: string) => Layout | undefined;
}

interface Place {
  readonly offset: number;
  readonly line: LogicalLine;
  readonly text: string;
  readonly at: number;
}

type Match = CustomPatternMatcherReturn | null;

const DIRECTIVES = ['syntax', 'escape', 'check'];
/** Source: BuildKit, `directiveRegexp`; the white space is Go's, whose value may be a space. */
const DIRECTIVE = /^([a-zA-Z][a-zA-Z0-9]*)[\t\f\r ]*=[\t\f\r ]*([^\n]+?)[\t\f\r ]*$/;

/**
 * What the token patterns ask, for one file. It knows the escape character, the logical line at hand and the heredocs that are still to
 * come; which pattern is asked where, the modes in tokens.ts say.
 */
export class Scanner {
  readonly #file: string;
  readonly #language: Language;
  readonly #finder: HeredocFinder;
  #escape: '\\' | '`' = '\\';
  #escapeIsFixed = false;
  #line: LogicalLine | undefined;
  #name: { offset: number; text: string; layout: Layout | undefined } = { offset: -1, text: '', layout: undefined };
  #bodies: HeredocLines[] = [];
  #nextBody = 0;
  #place: Place | undefined;
  #hidden = false;
  #loose: number | undefined;
  #comments: string[] = [];

  constructor(file: string, language: Language) {
    this.#file = file;
    this.#language = language;
    this.#finder = new HeredocFinder(file, language.names);
  }

  /** Between instructions: white space, line breaks, and lines that hold nothing but a continuation. */
  blank(offset: number): Match {
    let end = offset;
    if (offset === 0 && this.#file.charCodeAt(0) === 0xfeff) end++;
    end = skipSpace(this.#file, end);
    if (end === offset && this.#file[offset] === this.#escape) {
      end = this.#contentFrom(offset, isSpace);
      if (end > offset && this.#lineAt(offset).text === '') this.#loose = offset;
    }
    return this.#skip(offset, end);
  }

  comment(offset: number): Match {
    if (this.#file[offset] !== '#') return null;
    const { end } = physicalLine(this.#file, offset);
    const text = trimSpace(this.#file.slice(offset === this.#lineStart(offset) ? offset + 1 : offset, end));
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
    const { end } = physicalLine(this.#file, offset);
    this.#comments = [trimSpace(this.#file.slice(offset + 1, end))];
    return this.#raw(offset, end, { value: '#!' });
  }

  /** `# name=value`, known names only, on the first lines of the file with nothing but other directives before. */
  directive(offset: number, before: IToken | undefined): Match {
    if (this.#file[offset] !== '#' || !this.#isDirectlyBelow(offset, before)) return null;
    const { end } = physicalLine(this.#file, offset);
    const line = this.#file.slice(skipSpace(this.#file, offset + 1), end);
    const [, name = '', setting = ''] = DIRECTIVE.exec(line) ?? [];
    const value = name.toLowerCase();
    if (!DIRECTIVES.includes(value)) return null;
    if (value === 'escape' && !this.#escapeIsFixed) {
      if (setting === '`') this.#escape = '`';
      this.#escapeIsFixed = true;
    }
    // Below "#!" it is a comment as well, for the reader of those.
    if (this.#comments.length > 0) this.#comments.push(trimSpace(this.#file.slice(offset + 1, end)));
    this.#hidden ||= offset !== this.#lineStart(offset);
    return this.#raw(offset, end, { value, setting, hidden: this.#hidden });
  }

  /** The one that the head of the file sets, once the lexer is past it. */
  get escape(): '\\' | '`' {
    return this.#escape;
  }

  /** Where an instruction begins with a continuation that nothing follows: at the end of the file. */
  get loose(): number | undefined {
    return this.#loose;
  }

  /** The first word of an instruction, if it is the name of one with that layout, or any. */
  name(offset: number, layout?: Layout): Match {
    const { line, at } = this.#here(offset);
    if (this.#name.offset !== offset) {
      const text = line.text.slice(at, wordEnd(line.text, at));
      this.#name = { offset, text, layout: this.#language.layoutOf(text) };
    }
    const { text } = this.#name;
    if (text === '' || (layout !== undefined && this.#name.layout !== layout)) return null;
    const comments = this.#comments;
    this.#comments = [];
    return this.#token(offset, at, at + text.length, { value: text, line, at, comments });
  }

  /** White space and continuations inside an instruction. */
  gap(offset: number, is: (unit: number) => boolean): Match {
    return this.#skip(offset, this.#contentFrom(offset, is));
  }

  endOfLine(offset: number): Match {
    const { line, text, at } = this.#here(offset);
    return at >= text.length ? this.#raw(offset, line.next, { value: '' }) : null;
  }

  /** The same where heredocs are announced: the whole line is searched for them, be it name, flags or arguments. */
  endOfLineBeforeHeredoc(offset: number, which: 'bodies' | 'nothing'): Match {
    const { line, text, at } = this.#here(offset);
    if (at < text.length) return null;
    const starts = heredocStarts(line.untrimmed);
    if (starts.length === 0) return null;
    this.#bodies = this.#finder.find(starts, line.next);
    this.#nextBody = 0;
    if (this.#bodies.length > 0 !== (which === 'bodies')) return null;
    return this.#raw(offset, line.next, { value: '', starts });
  }

  /** The body of the next heredoc that was announced, with the line that ends it. */
  heredocBody(offset: number, which: 'last' | 'other'): Match {
    const heredoc = this.#bodies[this.#nextBody];
    if (!heredoc || (this.#nextBody === this.#bodies.length - 1) !== (which === 'last')) return null;
    this.#nextBody++;
    const body = this.#file.slice(offset, heredoc.contentEnd);
    const value = heredoc.start.chomp ? body.replace(/(^|\n)\t+/g, '$1') : body;
    return this.#raw(offset, heredoc.end, { value, setting: body, heredoc });
  }

  /** `--name` or `--name=value`. */
  flag(offset: number): Match {
    const word = this.#flagWord(offset);
    if (!word || word.value === '--') return null;
    const { text, at } = this.#here(offset);
    return this.#token(offset, at, word.end, { value: text.slice(at, word.end), setting: word.value });
  }

  /** `--` alone: no flags after it. */
  flagEnd(offset: number): Match {
    const word = this.#flagWord(offset);
    return word?.value === '--' ? this.#token(offset, this.#here(offset).at, word.end) : null;
  }

  word(offset: number): Match {
    const { text, at } = this.#here(offset);
    return this.#token(offset, at, wordEnd(text, at));
  }

  quotedWord(offset: number): Match {
    const { text, at } = this.#here(offset);
    const { end, value } = readQuotedWord(text, at, this.#escape);
    return this.#token(offset, at, end, { value });
  }

  /** The name in `ENV name rest of line`: what it is when the first word has no `=`. */
  legacyName(offset: number): Match {
    const { text, at } = this.#here(offset);
    if (readQuotedWord(text, at, this.#escape).value.includes('=')) return null;
    return this.#token(offset, at, wordEnd(text, at));
  }

  /** The rest of the line. */
  text(offset: number): Match {
    const { text, at } = this.#here(offset);
    return this.#token(offset, at, text.length);
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

  #lineStart(offset: number): number {
    const feed = offset === 0 ? -1 : this.#file.lastIndexOf('\n', offset - 1);
    return feed === -1 && this.#file.charCodeAt(0) === 0xfeff ? 1 : feed + 1;
  }

  #isDirectlyBelow(offset: number, before: IToken | undefined): boolean {
    const from = before ? before.startOffset + before.image.length : 0;
    const feed = this.#file.indexOf('\n', from);
    if (feed === -1 || feed >= offset) return before === undefined;
    if (before === undefined) return false;
    const second = this.#file.indexOf('\n', feed + 1);
    return second === -1 || second > offset;
  }

  #flagWord(offset: number): ReadWord | undefined {
    const { text, at } = this.#here(offset);
    if (text[at] !== '-' || text[at + 1] !== '-') return undefined;
    // Behind white space that is not ASCII BuildKit looks for no flags.
    for (let back = at - 1; back > 0 && isSpace(text.charCodeAt(back)); back--) if (!isSeparator(text.charCodeAt(back))) return undefined;
    return readFlagWord(text, at, this.#escape);
  }

  #contentFrom(offset: number, is: (unit: number) => boolean): number {
    const { line, at: from } = this.#here(offset);
    const at = skipSpace(line.text, from, is);
    return at >= line.text.length ? line.next : indexInFile(line, at);
  }

  #lineAt(offset: number): LogicalLine {
    if (!this.#line || offset < this.#line.start || offset >= this.#line.next) {
      this.#line = readLogicalLine(this.#file, offset, this.#escape);
    }
    return this.#line;
  }

  /** The line at `offset` and the place in it: found once for all patterns that are asked there. */
  #here(offset: number): Place {
    const known = this.#place;
    if (known?.offset === offset) return known;
    const line = this.#lineAt(offset);
    const place = { offset, line, text: line.text, at: indexInText(line, offset) };
    this.#place = place;
    return place;
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

/**
 * What the text is as JSON. Go refuses numbers too large for a float and arrays in each other more than 10,000 deep; that makes it no JSON,
 * and the shell form.
 */
function jsonArray(text: string): 'strings' | 'other' | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!Array.isArray(value)) return undefined;
    if (value.every((element) => typeof element === 'string')) return 'strings';
    return isReadByGo(value) ? 'other' : undefined;
  } catch {
    // Not JSON: the shell form. This is what decides between the two, and no error.
    return undefined;
  }
}

function isReadByGo(array: readonly unknown[]): boolean {
  const open: { readonly value: unknown; readonly depth: number }[] = [{ value: array, depth: 1 }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { value, depth } = next;
    if (typeof value === 'number' && !Number.isFinite(value)) return false;
    if (typeof value !== 'object' || value === null) continue;
    if (depth > 10_000) return false;
    for (const inner of Object.values(value)) open.push({ value: inner, depth: depth + 1 });
  }
  return true;
}
