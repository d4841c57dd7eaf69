import type { Writable } from 'node:stream';
import type { Terminal } from './terminal.ts';

/** Who typed the command, and what he has: all that is known of the process outside of main.ts. */
export interface Caller {
  /** Working directory, absolute. */
  readonly directory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly isRoot: boolean;
  /** Standard input. */
  readonly input: AsyncIterable<Uint8Array>;
  readonly terminal: Terminal;
  /** Standard output: the result, and nothing else. Resolves when more can be taken. */
  readonly writeResult: (bytes: string | Uint8Array) => Promise<void>;
  /** The same, for archives. It is not to be closed. */
  readonly resultStream: Writable;
  readonly resultIsTerminal: boolean;
  /** Standard error: progress and messages. Who writes much waits for what it gives: it resolves when more can be taken. */
  readonly writeMessage: (text: string | Uint8Array) => void | Promise<void>;
  /** Whether messages may have colours. */
  readonly color: boolean;
  /** Aborts at the first SIGINT or SIGTERM, or when nobody reads the result any more. */
  readonly signal: AbortSignal;
  /** Sends the signals of the user to `listener` in place of `signal`, until the returned function is called. */
  readonly takeSignals: (listener: (signal: NodeJS.Signals) => void) => () => void;
}
