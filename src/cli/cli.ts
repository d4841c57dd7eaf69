import { BuildError } from '../diagnostics/build-error.ts';
import { nearest } from '../diagnostics/suggest.ts';
import type { Caller } from './caller.ts';
import type { Command } from './command.ts';
import { type CommandEntry, commands, unavailableCommands } from './commands.ts';
import { reportError } from './errors.ts';
import { sets } from './flag.ts';
import { defaultGlobals, type Globals, globalFlags, unavailableGlobals } from './globals.ts';
import { parseFlags } from './parse-flags.ts';

/** Runs one command line (without `cooper` itself) and gives the exit status. Never throws: errors are told on standard error. */
export async function cli(args: readonly string[], caller: Caller): Promise<number> {
  const globals = defaultGlobals(caller);
  try {
    return await dispatch(args, globals, caller);
  } catch (error) {
    return reportError(error, globals.debugLog || args.includes('--debug-log'), caller);
  }
}

interface FirstOptions extends Globals {
  version: boolean;
}

async function dispatch(args: readonly string[], globals: Globals, caller: Caller): Promise<number> {
  const options: FirstOptions = Object.assign(globals, { version: false });
  const words = parseFlags(
    args,
    { command: 'cooper', flags: firstFlags, unavailable: unavailableGlobals, stopAtWord: true },
    options,
    caller,
  );
  const [name, ...rest] = options.version ? ['version', ...words] : words;
  if (options.help || name === 'help') return showHelp(name === 'help' ? rest[0] : name, caller);
  if (name === undefined) {
    const { overview } = await import('./overview.ts');
    caller.writeMessage(overview(caller));
    return 2;
  }
  return (await load(name)).run(rest, globals, caller);
}

const firstFlags = [...globalFlags, { name: 'version', short: 'v', help: 'print the version', set: sets('version') }];

async function showHelp(name: string | undefined, caller: Caller): Promise<number> {
  if (name === undefined) {
    const { overview } = await import('./overview.ts');
    await caller.writeResult(overview(caller));
  } else {
    await caller.writeResult((await load(name)).help(caller));
  }
  return 0;
}

async function load(name: string): Promise<Command> {
  const entry: CommandEntry | undefined = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!entry) throw unknownCommand(name);
  return (await entry.load()).command;
}

function unknownCommand(name: string): BuildError {
  if (Object.hasOwn(unavailableCommands, name)) {
    return new BuildError('UNKNOWN_COMMAND', `cooper does not have "${name}" yet`, { hint: unavailableCommands[name] });
  }
  const near = nearest(name, Object.keys(commands));
  const hint = near ? `did you mean "cooper ${near}"?` : '"cooper help" lists the commands';
  return new BuildError('UNKNOWN_COMMAND', `cooper has no command "${name}"`, { hint });
}
