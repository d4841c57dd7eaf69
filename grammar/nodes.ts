// From the concrete tree to the AST. Here a token's place becomes a range, and an instruction meets the checks of its own file.

import type { CstNode, IToken } from 'chevrotain';
import type { Directives, Flag, Form, Heredoc, Instruction, Range } from './ast.ts';
import type { DiagnosticCode, Report } from './diagnostics.ts';
import { checkFlags } from './flags.ts';
import { shorten } from './instructions/argument-count.ts';
import { syntaxOf } from './instructions/index.ts';
import { notTriggers, onbuild } from './instructions/onbuild.ts';
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
import { CheckKind, ExecNotStrings, LegacyName } from './tokens.ts';

/** What the making of every node needs. */
export interface Making {
  readonly file: string;
  readonly positions: Positions;
  readonly report: Report;
}

/** One `instruction` node of the concrete tree. Undefined if the parser had to guess so much that there is no name. */
export function makeInstruction(node: CstNode, making: Making): Instruction | undefined {
  const trigger = child(node, 'trigger');
  const direct = child(trigger ?? node, 'direct');
  const made = direct ? makeDirect(direct, making, trigger !== undefined) : undefined;
  return trigger ? makeTrigger(trigger, made, making) : made;
}

/**
 * The settings of the head. The first of two of a name counts. BuildKit has two readers of it: the one that finds `syntax` and `check` skips
 * a first line with `#!` and stops at an indented line; the one that finds `escape` does neither.
 */
export function makeDirectives(tree: CstNode, { positions, report }: Making): Directives {
  const made: Record<string, string> = {};
  const seen = new Set<string>();
  const below = tokensOf(tree, 'Shebang').length > 0;
  for (const token of tokensOf(tree, 'directive')) {
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

function makeDirect(direct: CstNode, making: Making, isTriggered: boolean): Instruction | undefined {
  const body = Object.values(direct.children).flat().find(isBody);
  if (!body) return undefined;
  const { positions } = making;
  const report = isTriggered ? warnOfTrigger(making.report) : making.report;
  const [name] = tokensOf(body, 'name');
  if (!name) return undefined;
  const written = payloadOf(name);
  const syntax = syntaxOf(written.value);
  const nameRange = rangeOf(name, making);
  const tokens = argumentsOf(body);
  const given = makeArguments(body, tokens, nameRange, making);
  const made = {
    name: syntax?.name ?? written.value.toUpperCase(),
    nameAsWritten: written.value,
    flags: flagsOf(body, making),
    ...given,
    heredocs: makeHeredocs(direct, name, given.form, making),
    ...makeText(name, direct, making),
    ...makeLines(name, direct, making),
  };
  const { line } = written;
  for (const start of line?.blankLines ?? []) reportBlankLine(positions.range(start, start), report);
  if (!syntax) reportUnknown(made.name, nameRange, report);
  else {
    checkFlags(syntax, made, report);
    const wrong = tokens.find(({ tokenType }) => tokenType === ExecNotStrings);
    if (wrong) reportNotStrings(rangeOf(wrong, making), report);
    else {
      syntax.check({ ...made, nameRange }, report);
      warnOfBrokenExec(syntax.layout, made, report);
      warnOfUnseenHeredoc(syntax.layout, made, report);
    }
  }
  return made;
}

/** Problems that BuildKit finds when it takes a line apart: the others it finds when the trigger is run, which may never be. */
const foundInTriggers: readonly DiagnosticCode[] = ['EXEC_FORM_NOT_STRINGS', 'HEREDOC_UNTERMINATED', 'NOT_KEY_VALUE'];

function warnOfTrigger(report: Report): Report {
  return (problem) => report(foundInTriggers.includes(problem.code) ? problem : { ...problem, severity: 'warning' });
}

/** ONBUILD: the text and the heredocs belong to what it triggers. */
function makeTrigger(node: CstNode, trigger: Instruction | undefined, making: Making): Instruction | undefined {
  const [name, nested] = tokensOf(node, 'name');
  if (!name) return undefined;
  const { report } = making;
  const nameRange = rangeOf(name, making);
  const flags = childrenOf(node, 'flags').flatMap((each) => tokensOf(each, 'flag').map((token) => makeFlag(token, making)));
  checkFlags(onbuild, { flags, args: [] }, report);
  const denied = nested ? { name: 'ONBUILD', range: rangeOf(nested, making) } : denies(trigger);
  if (denied) {
    const message = `ONBUILD cannot trigger "${denied.name}"`;
    report({ code: 'TRIGGER_NOT_ALLOWED', message, range: denied.range, hint: `not ${notTriggers.join(', ')}` });
  } else if (!trigger) {
    const message = 'ONBUILD has no instruction to trigger';
    report({ code: 'MISSING_ARGUMENT', message, range: nameRange, hint: `write: ${onbuild.synopsis}` });
  }
  const own = makeText(name, node, making);
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
    ...makeLines(name, trigger ? (child(node, 'direct') ?? node) : node, making),
  };
}

function denies(trigger: Instruction | undefined): { name: string; range: Range } | undefined {
  return trigger && notTriggers.includes(trigger.name) ? { name: trigger.name, range: trigger.range } : undefined;
}

/** The joined line from the name on, and the heredocs as they stand in the file. */
function makeText(name: IToken, node: CstNode, { file, positions }: Making): { text: string; range: Range } {
  const { line, at = 0 } = payloadOf(name);
  const bodies = tokensOf(child(node, 'ending'), 'heredoc');
  const parts = [line?.text.slice(at) ?? '', ...bodies.map((body) => file.slice(body.startOffset, bodyEnd(file, body)))];
  const last = bodies.at(-1);
  const end = last ? bodyEnd(file, last) : lineEnd(line, name);
  return { text: parts.join('\n'), range: positions.range(name.startOffset, Math.max(end, name.startOffset)) };
}

/** As BuildKit keeps it in an image's config: the line to its very end, and heredocs with their names alone behind them. */
function makeTriggerText(name: IToken, { heredocs }: Instruction): string {
  const { line, at = 0 } = payloadOf(name);
  const written = (line?.untrimmed.slice(at) ?? '').replace(/^ONBUILD[\t\n\f\r ]*/i, '');
  return written + heredocs.map((heredoc) => `\n${heredoc.raw}${heredoc.name}`).join('');
}

/** What lint rules want to know of the lines, besides the range. */
function makeLines(name: IToken, node: CstNode, { positions }: Making): Pick<Instruction, 'comments' | 'lines' | 'emptyContinuation'> {
  const { line, comments = [] } = payloadOf(name);
  const lineOf = (index: number): number => positions.at(index).line;
  const joined = lineOf(Math.max((line?.next ?? endOf(name)) - 1, name.startOffset));
  const body = tokensOf(child(node, 'ending'), 'heredoc').at(-1);
  return {
    comments,
    lines: { first: lineOf(line?.start ?? name.startOffset), last: body ? lineOf(endOf(body) - 1) : joined },
    ...(line?.blankLines.length ? { emptyContinuation: joined } : {}),
  };
}

function makeArguments(body: CstNode, tokens: readonly IToken[], nameRange: Range, making: Making) {
  const form = formOf(body, tokens);
  const args = tokens.map((token) => (token.tokenType === CheckKind ? payloadOf(token).value.toUpperCase() : payloadOf(token).value));
  const argRanges = tokens.map((token) => rangeOf(token, making));
  // A shell form always has its one text, even where there is nothing.
  if (form === 'shell' && body.name === 'command' && args.length === 0) {
    return { form, args: [''], argRanges: [{ start: nameRange.end, end: nameRange.end }] };
  }
  return { form, args, argRanges };
}

function formOf(body: CstNode, tokens: readonly IToken[]): Form {
  if (child(body, 'exec') || child(child(body, 'line'), 'exec')) return 'exec';
  if (body.name === 'command' || (body.name === 'health' && tokens.length > 1)) return 'shell';
  return tokens[0]?.tokenType === LegacyName ? 'legacy' : 'words';
}

/** Own ones first: HEALTHCHECK has its kind before the command. */
function argumentsOf(body: CstNode): IToken[] {
  const line = child(body, 'line');
  return [body, child(body, 'exec'), line, child(line, 'exec')].flatMap((node) => tokensOf(node, 'argument'));
}

function flagsOf(body: CstNode, making: Making): Flag[] {
  return tokensOf(child(body, 'flags'), 'flag').map((token) => makeFlag(token, making));
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
function makeHeredocs(direct: CstNode, name: IToken, form: Form, making: Making): Heredoc[] {
  const { line, value: written } = payloadOf(name);
  if (!line || form === 'exec' || !['files', 'script'].includes(syntaxOf(written)?.layout ?? '')) return [];
  const [ending] = tokensOf(child(direct, 'ending'), 'EndOfLine');
  // At the end of the file there is no token.
  const { starts = [] } = ending ? payloadOf(ending) : { starts: heredocStarts(line.untrimmed) };
  const bodies = tokensOf(child(direct, 'ending'), 'heredoc');
  return starts.map(({ at, end, name, expand, chomp }, index) => {
    const body = bodies[index];
    if (!body || !payloadOf(body).heredoc?.terminated) {
      const where = making.positions.range(indexInFile(line, at), endInFile(line, end));
      reportOpenHeredoc({ name, expand, chomp }, where, making.report);
    }
    const before = bodies.at(-1) ?? ending;
    const from = body?.startOffset ?? (before ? endOf(before) : line.next);
    const range = making.positions.range(from, body ? bodyEnd(making.file, body) : from);
    const raw = body ? (payloadOf(body).setting ?? payloadOf(body).value) : '';
    return { name, expand, chomp, content: body ? payloadOf(body).value : '', raw, range };
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

function isBody(element: CstNode | IToken): element is CstNode {
  return 'children' in element && element.name !== 'ending';
}

function child(node: CstNode | undefined, name: string): CstNode | undefined {
  return childrenOf(node, name)[0];
}

function childrenOf(node: CstNode | undefined, name: string): CstNode[] {
  return (node?.children[name] ?? []).filter((element) => 'children' in element);
}

function tokensOf(node: CstNode | undefined, label: string): IToken[] {
  return (node?.children[label] ?? []).filter((element) => 'image' in element);
}
