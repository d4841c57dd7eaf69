// The vocabulary of a Dockerfile. The lexer is in mode `file` between instructions; the name of one opens the mode of its arguments, the
// end of the (logical) line closes it. Patterns are functions, as a token can be spread over continued lines: lex/scanner.ts.
// No pattern looks at more than the file, its place, and the token before it.

import { type CustomPatternMatcherReturn, createToken, type ILexingResult, type IToken, Lexer, type TokenType } from 'chevrotain';
import { instructionNames, syntaxOf } from './instructions/index.ts';
import type { Layout } from './instructions/syntax.ts';
import { Scanner } from './lex/scanner.ts';
import { isSeparator, isSpace } from './lex/space.ts';

type Match = CustomPatternMatcherReturn | null;
type Pattern = (scanner: Scanner, offset: number, before: IToken | undefined) => Match;
type Options = Omit<Parameters<typeof createToken>[0], 'name' | 'pattern'>;

const language = { names: instructionNames, layoutOf: (name: string) => syntaxOf(name)?.layout };

/** The file at hand. The lexer runs to its end before another begins. */
let scanner = new Scanner('', language);

function token(name: string, pattern: Pattern, options: Options = {}): TokenType {
  const exec = (_: string, offset: number, matched: IToken[]): Match => pattern(scanner, offset, matched.at(-1));
  return createToken({ name, pattern: exec, line_breaks: true, ...options });
}

// Names. A mode belongs to a layout, so one token stands for all names that share it. Frequent ones are asked for first.
const layouts: readonly Layout[] = ['script', 'files', 'assignments', 'names', 'text', 'words', 'command', 'health', 'list', 'trigger'];

const names = Object.fromEntries(
  layouts.map((layout) => [layout, token(`${layout}Name`, (scan, at) => scan.name(at, layout), { push_mode: layout })]),
) as Record<Layout, TokenType>;
/** The same behind ONBUILD, where the mode of the trigger's arguments takes the place of that of ONBUILD. */
const triggerNames = layouts
  .filter((layout) => layout !== 'trigger')
  .map((layout) =>
    token(`${layout}Trigger`, (scan, at) => scan.name(at, layout), { pop_mode: true, push_mode: layout, categories: [names[layout]] }),
  );
/** ONBUILD behind ONBUILD stays in its mode: however many there are, none is inside of another. */
const NestedTrigger = token('NestedTrigger', (scan, at) => scan.name(at, 'trigger'), { categories: [names.trigger] });
const UnknownName = token('UnknownName', (scan, at) => scan.name(at), { push_mode: 'unknown' });
const UnknownTrigger = token('UnknownTrigger', (scan, at) => scan.name(at), {
  pop_mode: true,
  push_mode: 'unknown',
  categories: [UnknownName],
});

export const Name: Readonly<Record<Layout | 'unknown', TokenType>> = { ...names, unknown: UnknownName };

const nameTypes = new Set([...Object.values(names), ...triggerNames, NestedTrigger]);
const opensFlags = (before: IToken | undefined) => before !== undefined && (nameTypes.has(before.tokenType) || before.tokenType === Flag);
const opensArguments = (before: IToken | undefined) =>
  opensFlags(before) || before?.tokenType === FlagEnd || before?.tokenType === CheckKind;

// The head of the file, and what is skipped.
export const Shebang = token('Shebang', (scan, at) => scan.shebang(at));
export const Directive = token('Directive', (scan, at, before) => {
  const inHead = before === undefined || before.tokenType === Shebang || before.tokenType === Directive;
  return inHead ? scan.directive(at, before) : null;
});
const Comment = token('Comment', (scan, at) => scan.comment(at), { group: Lexer.SKIPPED });
const Blank = token('Blank', (scan, at) => scan.blank(at), { group: Lexer.SKIPPED });
/** In front of the first argument, and wherever quoted words are parted, white space is that of Unicode. */
const Gap = token('Gap', (scan, at, before) => scan.gap(at, opensArguments(before) ? isSpace : isSeparator), { group: Lexer.SKIPPED });
const WideGap = token('WideGap', (scan, at, before) => scan.gap(at, before?.tokenType === LegacyName ? isSeparator : isSpace), {
  group: Lexer.SKIPPED,
});

export const EndOfLine = token('EndOfLine', (scan, at) => scan.endOfLine(at), { pop_mode: true });
const endsBefore = (which: 'bodies' | 'nothing'): Pattern => {
  return (scan, at, before) => (before?.tokenType === ExecClose ? null : scan.endOfLineBeforeHeredoc(at, which));
};
const EndOfLineBeforeHeredoc = token('EndOfLineBeforeHeredoc', endsBefore('bodies'), {
  pop_mode: true,
  push_mode: 'heredoc',
  categories: [EndOfLine],
});
/** The line that ends the heredoc is missing, and the next one is an instruction. */
const EndOfLineWithoutHeredoc = token('EndOfLineWithoutHeredoc', endsBefore('nothing'), { pop_mode: true, categories: [EndOfLine] });
export const HeredocBody = token('HeredocBody', (scan, at) => scan.heredocBody(at, 'other'));
const LastHeredocBody = token('LastHeredocBody', (scan, at) => scan.heredocBody(at, 'last'), { pop_mode: true, categories: [HeredocBody] });

// Arguments.
export const Flag = token('Flag', (scan, at, before) => (opensFlags(before) ? scan.flag(at) : null));
export const FlagEnd = token('FlagEnd', (scan, at, before) => (opensFlags(before) ? scan.flagEnd(at) : null));
export const Word = token('Word', (scan, at) => scan.word(at));
const QuotedWord = token('QuotedWord', (scan, at) => scan.quotedWord(at), { categories: [Word] });
export const Text = token('Text', (scan, at) => scan.text(at));
export const LegacyName = token('LegacyName', (scan, at, before) => (opensArguments(before) ? scan.legacyName(at) : null));
const LegacyValue = token('LegacyValue', (scan, at, before) => (before?.tokenType === LegacyName ? scan.text(at) : null), {
  categories: [Text],
});
export const CheckKind = token('CheckKind', (scan, at, before) =>
  opensArguments(before) && before?.tokenType !== CheckKind ? scan.word(at) : null,
);
export const ExecOpen = token('ExecOpen', (scan, at, before) => (opensArguments(before) ? scan.execOpen(at) : null), { push_mode: 'exec' });
export const ExecNotStrings = token('ExecNotStrings', (scan, at, before) => (opensArguments(before) ? scan.execNotStrings(at) : null));
export const JsonString = token('JsonString', (scan, at) => scan.jsonString(at));
export const Comma = token('Comma', (scan, at) => scan.jsonMark(at, ','));
export const ExecClose = token('ExecClose', (scan, at) => scan.jsonMark(at, ']'), { pop_mode: true });

const ends = [EndOfLine, Gap];
const wideEnds = [EndOfLine, WideGap];
const endsWithHeredocs = [EndOfLineBeforeHeredoc, EndOfLineWithoutHeredoc, ...ends];
const flags = [Flag, FlagEnd];
const exec = [ExecOpen, ExecNotStrings];

export const modes: Record<Layout | 'file' | 'heredoc' | 'exec' | 'unknown', TokenType[]> = {
  file: [Blank, Shebang, Directive, Comment, ...layouts.map((layout) => names[layout]), UnknownName],
  command: [...ends, ...flags, ...exec, Text],
  script: [...endsWithHeredocs, ...flags, ...exec, Text],
  files: [...endsWithHeredocs, ...flags, ...exec, Word],
  list: [...ends, ...flags, ...exec, Word],
  words: [...ends, ...flags, Word],
  text: [...ends, ...flags, Text],
  assignments: [...wideEnds, ...flags, LegacyName, LegacyValue, QuotedWord],
  names: [...wideEnds, ...flags, QuotedWord],
  health: [...ends, ...flags, CheckKind, ...exec, Text],
  trigger: [...ends, ...flags, NestedTrigger, ...triggerNames, UnknownTrigger],
  exec: [Gap, JsonString, Comma, ExecClose],
  heredoc: [HeredocBody, LastHeredocBody],
  unknown: [...ends, Text],
};

/** Every token type, also the categories that only the grammar knows. */
export const vocabulary: TokenType[] = [...new Set(Object.values(modes).flat())];

const lexer = new Lexer({ modes, defaultMode: 'file' }, { positionTracking: 'onlyOffset', skipValidations: true, safeMode: true });

/** Takes a file apart. The escape character is the one that its head sets. */
export function tokenize(file: string): ILexingResult & { readonly escape: '\\' | '`'; readonly loose: number | undefined } {
  scanner = new Scanner(file, language);
  const result = lexer.tokenize(file);
  const { escape: escapeSet, loose } = scanner;
  // Otherwise the last file would stay in memory.
  scanner = new Scanner('', language);
  return { ...result, escape: escapeSet, loose };
}
