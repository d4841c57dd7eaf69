import { addAbortSignal } from 'node:stream';
import { BuildError } from '../diagnostics/build-error.ts';
import type { Caller } from './caller.ts';
import { cli } from './cli.ts';
import { ResultUnread } from './errors.ts';
import { terminalOf } from './terminal.ts';

// The entry of the bundle. All that is known of the process is read here; starting must be quick, so nothing heavy is imported.

const interrupt = new AbortController();
const others = ['SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const;
let taker: ((signal: NodeJS.Signals) => void) | undefined;

for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    if (taker) return taker(name);
    // The first one lets the command clean up; whoever sends a second one does not want to wait for it.
    if (interrupt.signal.aborted) process.exit(130);
    interrupt.abort(new Error(`interrupted by ${name}`));
  });
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Any other error is the business of the one who wrote.
  if (error.code === 'EPIPE') interrupt.abort(new ResultUnread());
});
// With nobody to read the messages there is nobody to tell that either: the work goes on.
process.stderr.on('error', () => {});

const caller: Caller = {
  directory: process.cwd(),
  environment: process.env,
  isRoot: process.getuid?.() === 0,
  get input() {
    return addAbortSignal(interrupt.signal, process.stdin);
  },
  get terminal() {
    return terminalOf(process.stdin, process.stdout);
  },
  writeResult,
  resultStream: process.stdout,
  resultIsTerminal: process.stdout.isTTY === true,
  writeMessage,
  color: process.stderr.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb',
  signal: interrupt.signal,
  takeSignals,
};

const status = await cli(process.argv.slice(2), caller);
// A connection that is kept alive, or a stdin that nobody closes, must not hold a command that is done.
process.exit(status);

/** That nobody reads any more is no error here: the listener above has seen it. */
function writeResult(bytes: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error?: NodeJS.ErrnoException | null) => {
      if (!error || error.code === 'EPIPE') resolve();
      else reject(new BuildError('EXPORT_FAILED', `standard output cannot be written: ${error.message}`, { cause: error }));
    });
  });
}

/** Resolves also when nobody reads: there is nobody to tell. */
function writeMessage(text: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => process.stderr.write(text, () => resolve()));
}

function takeSignals(listener: (signal: NodeJS.Signals) => void): () => void {
  taker = listener;
  // Nobody else wants these; for Node, SIGUSR1 would be the debugger's.
  for (const name of others) process.on(name, listener);
  return () => {
    taker = undefined;
    for (const name of others) process.off(name, listener);
  };
}
