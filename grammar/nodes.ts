// From the tokens of an instruction to its AST. Here a token's place becomes a range, and an instruction meets the checks of its own file.

import type { IToken } from 'chevrotain';
import type { Directives, Flag, Form, Heredoc, Instruction, Range } from './ast.ts';
import type { DiagnosticCode, Report } from './diagnostics.ts';
import { checkFlags } from './flags.ts';
import { shorten } from './instructions/argument-count.ts';
import { syntaxOf } from './instructions/index.ts';
import { notTriggers, onbuild } from './instructions/onbuild.ts';
import type { InstructionSyntax, Layout } from './instructions/syntax.ts';
import { heredocStarts } from './lex/heredoc.ts';
import { endInFile, indexInFile, type LogicalLine } from './lex/logical-line.ts';
import type { Payload } from './lex/scanner.ts';
import {
  reportBlankLine,
  reportNotStrings,
  reportOpenHeredoc,
  reportUnknown,
  warnOfBrokenExec,
  warnOfUnseenHeredoc,
} from './node-problems.ts';
import type { Positions } from './positions.ts';
import type { DirectNode, FileNode, InstructionNode, TriggerNode } from './rules.ts';
import { CheckKind, ExecNotStrings, LegacyName } from './tokens.ts';

/** What the making of every node needs. */
export interface Making {
  readonly file: string;
  readonly positions: Positions;
  readonly report: Report;
}

export function makeInstruction(node: InstructionNode, making: Making): Instruction | undefined {
  return 'names' in node ? makeTrigger(node, making) : makeDirect(node, making);
}

/**
 * The settings of the head. The first of two of a name counts. BuildKit has two readers of it: the one that finds `syntax` and `check` skips
 * a first line with `#!` and stops at an indented line; the one that finds `escape` does neither.
 */
export function makeDirectives({ shebang, directives }: FileNode, { positions, report }: Making): Directives {
  const made: Record<string, string> = {};
  const seen = new Set<string>();
  const below = shebang !== undefined;
  for (const token of directives) {
    const { value: name, setting = '', hidden } = payloadOf(token);
    const range = positions.range(token.startOffset, endOf(token));
    if (seen.has(name) && !below) {
      const message = `the parser directive "${name}" is given twice`;
      report({ code: 'DUPLICATE_DIRECTIVE', message, range, hint: 'leave one of the two' });
    } else if (seen.has(name)) break;
    else if (name !== 'escape' && hidden) {
      const message = `the parser directive "${name}" has no effect, as it or a line above is indented`;
      report({ code: 'DIRECTIVE_IGNORED', message, range, hint: 'begin the line with the "#"' });
    } else if (name !== 'escape') made[name] = setting;
    else if (below) {
      const message = 'the escape directive has no effect below a "#!" line';
      report({ code: 'DIRECTIVE_IGNORED', message, range, hint: 'remove the "#!" line' });
    } else if (setting === '\\' || setting === '`') made[name] = setting;
    else report({ code: 'INVALID_ESCAPE', message: `"${shorten(setting)}" cannot be the escape character`, range, hint: 'use \\ or `' });
    seen.add(name);
  }
  return made;
}

function makeDirect(node: DirectNode, making: Making, report = making.report): Instruction {
  const { positions } = making;
  const { name } = node;
  const written = payloadOf(name);
  const syntax = syntaxOf(written.value);
  const nameRange = rangeOf(name, making);
  const { form, args, argRanges } = makeArguments(node, syntax?.layout, nameRange, making);
  const flags = node.flags.map((token) => makeFlag(token, making));
  const heredocs = makeHeredocs(node, syntax?.layout, form, making);
  const { text, range } = makeText(name, node, making);
  const { comments, lines, emptyContinuation } = makeLines(name, node, making);
  const made: Instruction = {
    name: syntax?.name ?? written.value.toUpperCase(),
    nameAsWritten: written.value,
    flags,
    form,
    args,
    argRanges,
    heredocs,
    text,
    range,
    comments,
    lines,
    ...(emptyContinuation === undefined ? {} : { emptyContinuation }),
  };
  for (const start of written.line?.blankLines ?? []) reportBlankLine(positions.range(start, start), report);
  if (syntax) check(syntax, node, made, { nameRange, making, report });
  else reportUnknown(made.name, nameRange, report);
  return made;
}

interface Checking {
  readonly nameRange: Range;
  readonly making: Making;
  readonly report: Report;
}

function check(syntax: InstructionSyntax, node: DirectNode, made: Instruction, { nameRange, making, report }: Checking): void {
  checkFlags(syntax, made, report);
  const wrong = node.args.find(({ tokenType }) => tokenType === ExecNotStrings);
  if (wrong) {
    reportNotStrings(rangeOf(wrong, making), report);
    return;
  }
  syntax.check({ ...made, nameRange }, report);
  warnOfBrokenExec(syntax.layout, made, report);
  warnOfUnseenHeredoc(syntax.layout, made, report);
}

/** Problems that BuildKit finds when it takes a line apart: the others it finds when the trigger is run, which may never be. */
const foundInTriggers: readonly DiagnosticCode[] = ['EXEC_FORM_NOT_STRINGS', 'HEREDOC_UNTERMINATED', 'NOT_KEY_VALUE'];

function warnOfTrigger(report: Report): Report {
  return (problem) => report(foundInTriggers.includes(problem.code) ? problem : { ...problem, severity: 'warning' });
}

/** ONBUILD: the text and the heredocs belong to what it triggers. */
function makeTrigger(node: TriggerNode, making: Making): Instruction | undefined {
  const [name, nested] = node.names;
  if (!name) return undefined;
  const trigger = node.direct && makeDirect(node.direct, making, warnOfTrigger(making.report));
  const { report } = making;
  const nameRange = rangeOf(name, making);
  const flags = node.flags.map((token) => makeFlag(token, making));
  checkFlags(onbuild, { flags, args: [] }, report);
  const denied = nested ? { name: 'ONBUILD', range: rangeOf(nested, making) } : denies(trigger);
  if (denied) {
    const message = `ONBUILD cannot trigger "${denied.name}"`;
    report({ code: 'TRIGGER_NOT_ALLOWED', message, range: denied.range, hint: `not ${notTriggers.join(', ')}` });
  } else if (!trigger) {
    const message = 'ONBUILD has no instruction to trigger';
    report({ code: 'MISSING_ARGUMENT', message, range: nameRange, hint: `write: ${onbuild.synopsis}` });
  }
  const own = makeText(name, nothing, making);
  const { comments, lines, emptyContinuation } = makeLines(name, node.direct ?? nothing, making);
  return {
    name: 'ONBUILD',
    nameAsWritten: payloadOf(name).value,
    flags,
    form: 'words',
    args: [],
    argRanges: [],
    heredocs: [],
    ...(trigger && !nested ? { trigger, triggerText: makeTriggerText(name, trigger) } : {}),
    text: trigger ? own.text + bodiesIn(trigger.text) : own.text,
    range: trigger ? { start: nameRange.start, end: trigger.range.end } : own.range,
    comments,
    lines,
    ...(emptyContinuation === undefined ? {} : { emptyContinuation }),
  };
}

/** The end of a line without heredocs. */
const nothing: Pick<DirectNode, 'heredocs'> = { heredocs: [] };

function denies(trigger: Instruction | undefined): { name: string; range: Range } | undefined {
  return trigger && notTriggers.includes(trigger.name) ? { name: trigger.name, range: trigger.range } : undefined;
}

/** The joined line from the name on, and the heredocs as they stand in the file. */
function makeText(name: IToken, { heredocs }: Pick<DirectNode, 'heredocs'>, { file, positions }: Making): { text: string; range: Range } {
  const { line, at = 0 } = payloadOf(name);
  const joined = line?.text.slice(at) ?? '';
  const bodies = heredocs.map((body) => `\n${file.slice(body.startOffset, bodyEnd(file, body))}`);
  const last = heredocs.at(-1);
  const end = last ? bodyEnd(file, last) : lineEnd(line, name);
  return { text: joined + bodies.join(''), range: positions.range(name.startOffset, Math.max(end, name.startOffset)) };
}

/** As BuildKit keeps it in an image's config: the line to its very end, and heredocs with their names alone behind them. */
function makeTriggerText(name: IToken, { heredocs }: Instruction): string {
  const { line, at = 0 } = payloadOf(name);
  const written = (line?.untrimmed.slice(at) ?? '').replace(/^ONBUILD[\t\n\f\r ]*/i, '');
  return written + heredocs.map((heredoc) => `\n${heredoc.raw}${heredoc.name}`).join('');
}

interface Lines extends Pick<Instruction, 'comments' | 'lines'> {
  readonly emptyContinuation: number | undefined;
}

/** What lint rules want to know of the lines, besides the range. */
function makeLines(name: IToken, { heredocs }: Pick<DirectNode, 'heredocs'>, { positions }: Making): Lines {
  const { line, comments = [] } = payloadOf(name);
  const joined = positions.lineAt(Math.max((line?.next ?? endOf(name)) - 1, name.startOffset));
  const body = heredocs.at(-1);
  return {
    comments,
    lines: { first: positions.lineAt(line?.start ?? name.startOffset), last: body ? positions.lineAt(endOf(body) - 1) : joined },
    emptyContinuation: line && line.blankLines.length > 0 ? joined : undefined,
  };
}

type Given = Pick<Instruction, 'form' | 'args' | 'argRanges'>;

function makeArguments({ args: tokens, exec }: DirectNode, layout: Layout | undefined, nameRange: Range, making: Making): Given {
  const form = formOf(tokens, exec, layout);
  // A shell form always has its one text, even where there is nothing.
  if (form === 'shell' && layout !== 'health' && tokens.length === 0) {
    return { form, args: [''], argRanges: [{ start: nameRange.end, end: nameRange.end }] };
  }
  const args = tokens.map((token) => (token.tokenType === CheckKind ? payloadOf(token).value.toUpperCase() : payloadOf(token).value));
  return { form, args, argRanges: tokens.map((token) => rangeOf(token, making)) };
}

function formOf(tokens: readonly IToken[], exec: boolean, layout: Layout | undefined): Form {
  if (exec) return 'exec';
  if (layout === 'command' || layout === 'script' || (layout === 'health' && tokens.length > 1)) return 'shell';
  return tokens[0]?.tokenType === LegacyName ? 'legacy' : 'words';
}

/** A name may have quotes too: then the value is not as it was written. */
function makeFlag(token: IToken, making: Making): Flag {
  const { value: written, setting = written } = payloadOf(token);
  const [, name = '', text] = /^--([^=]*)(?:=(.*))?$/s.exec(setting) ?? [];
  const range = rangeOf(token, making);
  if (text === undefined) return { name, range };
  const prefix = `--${name}=`;
  return { name, value: written.startsWith(prefix) ? written.slice(prefix.length) : text, text, range };
}

/** Bodies in the order of their announcements. One that is not there, or has no end, is an error where it was announced. */
function makeHeredocs(
  { name, endOfLine, heredocs: bodies }: DirectNode,
  layout: Layout | undefined,
  form: Form,
  making: Making,
): Heredoc[] {
  const { line } = payloadOf(name);
  if (!line || form === 'exec' || (layout !== 'files' && layout !== 'script')) return [];
  // At the end of the file there is no token.
  const { starts = [] } = endOfLine ? payloadOf(endOfLine) : { starts: heredocStarts(line.untrimmed) };
  return starts.map(({ at, end, name: word, expand, chomp }, index) => {
    const body = bodies[index];
    if (!body || !payloadOf(body).heredoc?.terminated) {
      const where = making.positions.range(indexInFile(line, at), endInFile(line, end));
      reportOpenHeredoc({ name: word, expand, chomp }, where, making.report);
    }
    const before = bodies.at(-1);
    const from = body?.startOffset ?? (before ? bodyEnd(making.file, before) : lineEnd(line, name));
    const range = making.positions.range(from, body ? bodyEnd(making.file, body) : from);
    const { value: content = '', setting: raw = content } = body ? payloadOf(body) : {};
    return { name: word, expand, chomp, content, raw, range };
  });
}

function rangeOf(token: IToken, { positions }: Making): Range {
  return positions.range(token.startOffset, endOf(token));
}

function endOf(token: IToken): number {
  return token.startOffset + token.image.length;
}

/** A body without its last line break. */
function bodyEnd(file: string, body: IToken): number {
  let end = endOf(body);
  if (file[end - 1] === '\n') end--;
  while (end > body.startOffset && file[end - 1] === '\r') end--;
  return end;
}

function lineEnd(line: LogicalLine | undefined, name: IToken): number {
  return line ? Math.max(line.end, endInFile(line, line.text.length)) : endOf(name);
}

/** What follows the first line: joined lines have no line break, so it is the heredocs. */
function bodiesIn(text: string): string {
  const feed = text.indexOf('\n');
  return feed === -1 ? '' : text.slice(feed);
}

function payloadOf(token: IToken): Payload {
  return token.payload ?? { value: token.image };
}
