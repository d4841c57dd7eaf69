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

/** Columns of a help text. */
const width = 100;
/** Where the explanation of an option begins, unless the option is longer. */
const helpColumn = 30;

/** The help of one command, from its table. */
export function renderHelp({ name, summary, operands, flags, details }: Described, globals: readonly Flag<never>[]): string {
  const paragraphs = [
    `usage: ${`cooper ${name} [OPTIONS] ${operands}`.trimEnd()}`,
    wrap(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`, 0),
    ...(details ?? []).map((text) => wrap(text, 0)),
    ...(flags.length > 0 ? [`options:\n${flags.map(option).join('\n')}`] : []),
    `options of every command:\n${globals.map(option).join('\n')}`,
  ];
  return `${paragraphs.join('\n\n')}\n`;
}

/** Two columns: what is typed, and what it means. */
export function row(left: string, right: string): string {
  const head = left.length <= helpColumn - 4 ? `  ${left.padEnd(helpColumn - 2)}` : `  ${left}\n${' '.repeat(helpColumn)}`;
  return `${head}${wrap(right, helpColumn)}`;
}

function option(flag: Flag<never>): string {
  return row(`${flag.short ? '' : '    '}${usageOf(flag)}`, flag.help);
}

/** Breaks between words; every line but the first is indented. */
function wrap(text: string, indent: number): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && indent + last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join(`\n${' '.repeat(indent)}`);
}
