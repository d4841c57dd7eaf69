import { BuildError } from '../diagnostics/build-error.ts';
import type { Caller } from './caller.ts';
import type { Flag, Unavailable } from './flag.ts';
import { type Globals, globalFlags, unavailableGlobals } from './globals.ts';
import { type Described, renderHelp, widthFor } from './help.ts';
import { parseFlags } from './parse-flags.ts';

/** A command as its module describes it. */
export interface CommandTable<Options> {
  readonly name: string;
  readonly summary: string;
  /** What comes after the options: `IMAGE [ARG...]`. */
  readonly operands: string;
  /** How many words come after the options. */
  readonly count: readonly [least: number, most: number];
  /** Options end at the first word. */
  readonly stopAtWord?: boolean;
  readonly flags: readonly Flag<Options>[];
  readonly unavailable?: readonly Unavailable[];
  /** Further paragraphs of the help. */
  readonly details?: readonly string[];
  readonly defaults: () => Options;
  /** Gives the exit status. */
  readonly run: (options: Options & Globals, words: readonly string[], caller: Caller) => Promise<number>;
}

/** A command, ready to be used; what its options are is its own affair. */
export interface Command {
  /** What docs/cli.md is made of. */
  readonly described: Described;
  readonly help: (caller: Caller) => string;
  /** `globals` are those that stood before the command's name. Gives the exit status. */
  readonly run: (args: readonly string[], globals: Globals, caller: Caller) => Promise<number>;
}

/** Makes a command of its table. */
export function defineCommand<Options extends object>(table: CommandTable<Options>): Command {
  const flags: readonly Flag<Options & Globals>[] = [...table.flags, ...globalFlags];
  const help = (caller: Caller): string => renderHelp(table, globalFlags, widthFor(caller));
  const run = async (args: readonly string[], globals: Globals, caller: Caller): Promise<number> => {
    const command = `cooper ${table.name}`;
    const options = { ...table.defaults(), ...globals };
    const unavailable = [...(table.unavailable ?? []), ...unavailableGlobals];
    const words = parseFlags(args, { command, flags, unavailable, stopAtWord: table.stopAtWord ?? false }, options, caller);
    if (options.help) {
      await caller.writeResult(help(caller));
      return 0;
    }
    checkCount(table, words);
    using _ = options.debugLog ? (await import('./debug-log.ts')).logSessions(caller) : undefined;
    return await table.run(options, words, caller);
  };
  return { described: table, help, run };
}

function checkCount<Options>({ name, operands, count: [least, most] }: CommandTable<Options>, words: readonly string[]): void {
  if (words.length >= least && words.length <= most) return;
  const usage = `usage: cooper ${name} [OPTIONS] ${operands}`.trimEnd();
  const extra = words[most];
  if (extra !== undefined)
    throw new BuildError('ARG_INVALID', `"cooper ${name}" does not know what to do with "${extra}"`, { hint: usage });
  throw new BuildError('ARG_INVALID', `"cooper ${name}" needs ${operands}`, { hint: usage });
}
