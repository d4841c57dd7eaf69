import type { Dockerfile } from './ast.ts';
import { type Problem, toDiagnostic } from './diagnostics.ts';
import { makeDirectives, makeInstruction } from './nodes.ts';
import { byteLength, Positions } from './positions.ts';
import { parseTokens } from './rules.ts';
import { checkStages } from './stages.ts';
import { tokenize } from './tokens.ts';

/** BuildKit reads lines into a buffer of 64 KiB, line feed included. */
const LINE_LIMIT_BYTES = 64 * 1024 - 1;

/** Parses a whole Dockerfile. Never throws: what is wrong is in `diagnostics`, in the order of the file. */
export function parseDockerfile(text: string): Dockerfile {
  const positions = new Positions(text);
  const problems: Problem[] = [];
  const making = { file: text, positions, report: (problem: Problem) => void problems.push(problem) };
  const lexed = tokenize(text);
  const parsed = parseTokens(lexed.tokens);
  const directives = parsed.file ? makeDirectives(parsed.file, making) : {};
  const instructions = (parsed.file?.instructions ?? []).flatMap((node) => makeInstruction(node, making) ?? []);
  checkStages(instructions, positions, making.report);
  checkLineLengths(making);
  if (lexed.loose !== undefined) reportLoose(lexed.loose, making);
  const failures = [
    ...lexed.errors.map(({ offset, length }) => ({ at: offset, length })),
    ...parsed.errors.map(({ token }) => where(token)),
  ];
  for (const { at, length } of failures) reportSyntax(at, length, making);
  problems.sort((one, other) => one.range.start.offset - other.range.start.offset);
  return { directives, escape: lexed.escape, instructions, diagnostics: problems.map(toDiagnostic) };
}

type Making = Parameters<typeof makeInstruction>[1];

function where({ startOffset, image }: { startOffset: number; image: string }): { at: number; length: number } {
  return { at: startOffset >= 0 ? startOffset : 0, length: image.length };
}

/** The lexer and the grammar take every text, so this is for the day when a change to one of them forgets the other. */
function reportSyntax(at: number, length: number, { positions, report }: Making): void {
  report({ code: 'SYNTAX_ERROR', message: 'this cannot stand here', range: positions.range(at, at + length) });
}

function reportLoose(at: number, { positions, report }: Making): void {
  const message = 'a line continues, and nothing follows';
  report({ code: 'LOOSE_CONTINUATION', message, range: positions.range(at, at + 1), hint: 'remove the escape character' });
}

function checkLineLengths({ file, positions, report }: Making): void {
  for (let start = 0; start < file.length; ) {
    const feed = file.indexOf('\n', start);
    const end = feed === -1 ? file.length : feed;
    // A UTF-16 unit has three bytes at most.
    if ((end - start) * 3 > LINE_LIMIT_BYTES && byteLength(file, start, end) > LINE_LIMIT_BYTES) {
      const message = `the line is longer than ${LINE_LIMIT_BYTES} bytes`;
      report({ code: 'LINE_TOO_LONG', message, range: positions.range(start, end), hint: 'continue it on another line' });
    }
    start = end + 1;
  }
}
