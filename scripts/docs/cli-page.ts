import type { Command } from '../../src/cli/command.ts';
import { commands, unavailableCommands } from '../../src/cli/commands.ts';
import { type Flag, type Unavailable, usageOf } from '../../src/cli/flag.ts';
import { globalFlags, unavailableGlobals } from '../../src/cli/globals.ts';
import { codes } from '../../src/diagnostics/codes.ts';
import { code, generatedFrom, markdownPage, markdownTable, prose } from './markdown.ts';

/** docs/cli.md: every command with its options, and what is refused with what to do instead. */
export async function cliPage(): Promise<string> {
  const loaded = await Promise.all(Object.values(commands).map(async ({ load }) => (await load()).command));
  return markdownPage([
    '# Commands',
    generatedFrom('the tables in src/cli'),
    'Options stand before or after the operands of a command, except where what follows belongs to a program: in `cooper run IMAGE ls -l` the ' +
      '`-l` is for `ls`. A switch is turned off by `--name=false` or `--no-name`. The result of a command goes to standard output, everything ' +
      'else to standard error.',
    markdownTable(
      ['command', 'what it does'],
      Object.entries(commands).map(([name, { summary }]) => [`[${code(`cooper ${name}`)}](#cooper-${name})`, prose(summary)]),
    ),
    '## Options of every command',
    flagTable(globalFlags),
    ...loaded.flatMap(commandSection),
    '## Not there',
    'These are known from other builders. They are refused with what to do instead; nothing is silently ignored.',
    markdownTable(
      ['command', 'instead'],
      Object.entries(unavailableCommands).map(([name, hint]) => [code(`cooper ${name}`), prose(hint)]),
    ),
    ...unavailableSection('every command', unavailableGlobals),
    ...loaded.flatMap(({ described: { name, unavailable } }) => unavailableSection(code(`cooper ${name}`), unavailable)),
    '## Errors',
    'An error is shown with its code in square brackets; the exit status depends on the code. `cooper run` ends with the status of the program ' +
      'when that was started.',
    markdownTable(
      ['code', 'status', 'meaning'],
      Object.entries(codes).map(([name, { status, meaning }]) => [code(name), `${status}`, prose(meaning)]),
    ),
  ]);
}

function commandSection({ described: { name, summary, operands, flags, details = [] } }: Command): string[] {
  return [
    `## cooper ${name}`,
    `\`\`\`\n${`cooper ${name} [OPTIONS] ${operands}`.trimEnd()}\n\`\`\``,
    prose(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`),
    ...details.map(prose),
    ...(flags.length > 0 ? [flagTable(flags)] : []),
  ];
}

function flagTable(flags: readonly Flag<never>[]): string {
  return markdownTable(
    ['option', 'meaning'],
    flags.map((flag) => [code(usageOf(flag)), prose(flag.help)]),
  );
}

function unavailableSection(of: string, flags: readonly Unavailable[] = []): string[] {
  if (flags.length === 0) return [];
  const rows = flags.map(({ name, short, hint }) => [code(`${short ? `-${short}, ` : ''}--${name}`), prose(hint)]);
  return [`### Options of ${of}`, markdownTable(['option', 'instead'], rows)];
}
