import type { Caller } from './caller.ts';
import { type Flag, type Unavailable, usageOf } from './flag.ts';

/** What is to be told of a command, whatever its options are. */
export interface Described {
  readonly name: string;
  readonly summary: string;
  readonly operands: string;
  readonly flags: readonly Flag<never>[];
  readonly unavailable?: readonly Unavailable[];
  readonly details?: readonly string[];
}

/** Columns of a help text at most, and where nobody says how many there are: longer lines are hard to read. */
const most = 100;
/** With fewer, the longest options would not fit. */
const least = 50;
/** Where the explanation of an option begins, unless the option is longer. */
const helpColumn = 30;
/** The same on a screen where little would be left of the line. */
const narrowColumn = 12;

/** How wide a help text is to be for this reader. */
export const widthFor = ({ resultIsTerminal, terminal }: Pick<Caller, 'resultIsTerminal' | 'terminal'>): number =>
  resultIsTerminal ? Math.max(least, Math.min(most, terminal.size().columns)) : most;

/** The help of one command, from its table. */
export function renderHelp({ name, summary, operands, flags, details }: Described, globals: readonly Flag<never>[], width: number): string {
  const options = (some: readonly Flag<never>[]): string => some.map((flag) => option(flag, width)).join('\n');
  const paragraphs = [
    `usage: ${`cooper ${name} [OPTIONS] ${operands}`.trimEnd()}`,
    wrap(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`, 0, width),
    ...(details ?? []).map((text) => wrap(text, 0, width)),
    ...(flags.length > 0 ? [`options:\n${options(flags)}`] : []),
    `options of every command:\n${options(globals)}`,
  ];
  return `${paragraphs.join('\n\n')}\n`;
}

/** Two columns: what is typed, and what it means. */
export function row(left: string, right: string, width: number): string {
  const column = width < 2 * helpColumn + narrowColumn ? narrowColumn : helpColumn;
  const head = left.length <= column - 4 ? `  ${left.padEnd(column - 2)}` : `  ${left}\n${' '.repeat(column)}`;
  return `${head}${wrap(right, column, width)}`;
}

function option(flag: Flag<never>, width: number): string {
  return row(`${flag.short ? '' : '    '}${usageOf(flag)}`, flag.help, width);
}

/** Breaks lines between words; every one but the first is indented. */
export function wrap(text: string, indent: number, width: number): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && indent + last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join(`\n${' '.repeat(indent)}`);
}
