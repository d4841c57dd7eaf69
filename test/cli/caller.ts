import { Readable, Writable } from 'node:stream';
import type { Caller } from '../../src/cli/caller.ts';
import { cli } from '../../src/cli/cli.ts';

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A caller in `/work`-like surroundings of the test's own choice, which keeps what it is told. */
export function recordingCaller(given: Partial<Caller> & { readonly stdin?: string } = {}): Caller & { stdout: string; stderr: string } {
  const { stdin = '', ...rest } = given;
  const caller = {
    stdout: '',
    stderr: '',
    directory: '/home/user',
    environment: { HOME: '/home/user' },
    isRoot: false,
    input: Readable.from([Buffer.from(stdin)]),
    terminal: {
      isInput: false,
      size: () => ({ rows: 24, columns: 80 }),
      onResize: () => () => {},
      setRaw: () => () => {},
    },
    writeResult: async (bytes: string | Uint8Array) => {
      caller.stdout += Buffer.from(bytes).toString();
    },
    resultStream: new Writable({
      write(chunk, _encoding, done) {
        caller.stdout += Buffer.from(chunk).toString();
        done();
      },
    }),
    resultIsTerminal: false,
    writeMessage: (text: string | Uint8Array) => {
      caller.stderr += Buffer.from(text).toString();
    },
    color: false,
    signal: new AbortController().signal,
    takeSignals: () => () => {},
    ...rest,
  };
  return caller;
}

/** Runs a command line in this process. */
export async function runCli(args: readonly string[], given: Parameters<typeof recordingCaller>[0] = {}): Promise<Outcome> {
  const caller = recordingCaller(given);
  const status = await cli(args, caller);
  return { status, stdout: caller.stdout, stderr: caller.stderr };
}
