import { execFileSync } from 'node:child_process';
import type { ReadStream, WriteStream } from 'node:tty';

/** The user's terminal. */
export interface Terminal {
  /** Whether standard input is one. */
  readonly isInput: boolean;
  readonly size: () => TerminalSize;
  /** Calls `listener` after each change of the size, until the returned function is called. */
  readonly onResize: (listener: () => void) => () => void;
  /** Every key goes to the program as it is typed, also Ctrl-C, until the returned function is called. */
  readonly setRaw: () => () => void;
}

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** What programs take for granted where nobody says. */
const usual: TerminalSize = { rows: 24, columns: 80 };

/** The terminal of these streams, which need not be one. */
export function terminalOf(input: ReadStream, output: WriteStream): Terminal {
  return {
    isInput: input.isTTY === true,
    size: () => (output.isTTY && output.rows > 0 && output.columns > 0 ? { rows: output.rows, columns: output.columns } : usual),
    onResize: (listener) => {
      output.on('resize', listener);
      return () => output.off('resize', listener);
    },
    setRaw: () => setRaw(input),
  };
}

function setRaw(input: ReadStream): () => void {
  // Node itself restores the terminal when the process ends in whatever way it can see.
  input.setRawMode(true);
  leaveOutputAlone();
  return () => void input.setRawMode(false);
}

/** Node's raw mode still writes "\r\n" for "\n", which breaks programs that move the cursor by "\n". Without stty it stays so. */
function leaveOutputAlone(): void {
  try {
    execFileSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
  } catch {
    // Most programs are content with that.
  }
}
