// From the concrete tree to the AST. Here a token's place becomes a range, and an instruction meets the checks of its own file.

import type { CstNode, IToken } from 'chevrotain';
import type { Directives, Flag, Form, Heredoc, Instruction, Range } from './ast.ts';
import type { Report } from './diagnostics.ts';
import { checkFlags } from './flags.ts';
import { shorten } from './instructions/argument-count.ts';
import { syntaxOf } from './instructions/index.ts';
import { notTriggers, onbuild } from './instructions/onbuild.ts';
import { endInFile, type LogicalLine } from './lex/logical-line.ts';
import type { Payload } from './lex/scanner.ts';
import { checkQuotes, reportBlankLine, reportNotStrings, reportOpenHeredoc, reportUnknown, warnOfBrokenExec } from './node-problems.ts';
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
  const made = direct ? makeDirect(direct, making) : undefined;
  return trigger ? makeTrigger(trigger, made, making) : made;
}

/** The settings of the head. The first of two of a name counts. */
export function makeDirectives(tree: CstNode, { positions, report }: Making): Directives {
  const made: Record<string, string> = {};
  const below = tokensOf(tree, 'Shebang').length > 0;
  for (const token of tokensOf(tree, 'directive')) {
    const { value: name, setting = '' } = payloadOf(token);
    const range = positions.range(token.startOffset, endOf(token));
    if (name in made) {
      const message = `the parser directive "${name}" is given twice`;
      report({ code: 'DUPLICATE_DIRECTIVE', message, range, hint: 'leave one of the two' });
    } else if (name !== 'escape') made[name] = setting;
    else if (setting !== '\\' && setting !== '`') {
      report({ code: 'INVALID_ESCAPE', message: `"${shorten(setting)}" cannot be the escape character`, range, hint: 'use \\ or `' });
    } else if (below) {
      const message = 'the escape directive has no effect below a "#!" line';
      report({ code: 'ESCAPE_IGNORED', message, range, hint: 'remove the "#!" line' });
    } else made[name] = setting;
  }
  return made;
}

function makeDirect(direct: CstNode, making: Making): Instruction | undefined {
  const body = Object.values(direct.children).flat().find(isBody);
  if (!body) return undefined;
  const { positions, report } = making;
  const [name] = tokensOf(body, 'name');
  if (!name) return undefined;
  const written = payloadOf(name);
  const syntax = syntaxOf(written.value);
  const nameRange = rangeOf(name, making);
  const tokens = argumentsOf(body);
  const heredocs = makeHeredocs(direct, tokens, making);
  const made = {
    name: syntax?.name ?? written.value.toUpperCase(),
    nameAsWritten: written.value,
    flags: flagsOf(body, making),
    ...makeArguments(body, tokens, nameRange, making),
    heredocs,
    ...makeText(name, direct, making),
    ...makeLines(name, direct, making),
  };
  const { line } = written;
  for (const start of line?.blankLines ?? []) reportBlankLine(positions.range(start, start), report);
  if (!syntax) reportUnknown(made.name, nameRange, report);
  else {
    checkFlags(syntax, made.flags, report);
    const wrong = tokens.find(({ tokenType }) => tokenType === ExecNotStrings);
    if (wrong) reportNotStrings(rangeOf(wrong, making), report);
    else {
      syntax.check({ ...made, nameRange }, report);
      warnOfBrokenExec(syntax.layout, made, report);
      checkQuotes(syntax.layout, made, report);
    }
  }
  return made;
}

/** ONBUILD: the text and the heredocs belong to what it triggers. */
function makeTrigger(node: CstNode, trigger: Instruction | undefined, making: Making): Instruction | undefined {
  const [name, nested] = tokensOf(node, 'name');
  if (!name) return undefined;
  const { report } = making;
  const nameRange = rangeOf(name, making);
  const flags = childrenOf(node, 'flags').flatMap((each) => tokensOf(each, 'flag').map((token) => makeFlag(token, making)));
  checkFlags(onbuild, flags, report);
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
    ...(trigger && !nested ? { trigger, triggerText: trigger.text } : {}),
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

function makeFlag(token: IToken, making: Making): Flag {
  const text = payloadOf(token).value.slice(2);
  const equals = text.indexOf('=');
  const range = rangeOf(token, making);
  return equals === -1 ? { name: text, range } : { name: text.slice(0, equals), value: text.slice(equals + 1), range };
}

/** Bodies in the order of their announcements. One that is not there, or has no end, is an error where it was announced. */
function makeHeredocs(direct: CstNode, tokens: readonly IToken[], making: Making): Heredoc[] {
  const announced = tokens.flatMap((token) => (payloadOf(token).starts ?? []).map((start) => ({ start, token })));
  const bodies = tokensOf(child(direct, 'ending'), 'heredoc');
  return announced.map(({ start, token }, at) => {
    const body = bodies[at];
    if (!body || !payloadOf(body).heredoc?.terminated) reportOpenHeredoc(start, rangeOf(token, making), making.report);
    const from = body?.startOffset ?? endOf(bodies.at(-1) ?? token);
    const range = making.positions.range(from, body ? bodyEnd(making.file, body) : from);
    const raw = body ? payloadOf(body).value : '';
    return { ...start, content: start.chomp ? raw.replace(/^\t+/gm, '') : raw, raw, range };
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
