import { BuildError } from '../diagnostics/build-error.ts';
import { EventQueue } from '../event-queue.ts';
import type { RunOptions } from '../run.ts';
import type { Terminal, TerminalSize } from './terminal.ts';

/** What a container gets of the user's terminal, which is itself again when this is disposed of. */
export interface AttachedTerminal extends Disposable {
  readonly options: Pick<RunOptions, 'tty' | 'sizes'>;
}

/** Attaches the user's terminal as `docker run` does. Throws ARG_INVALID where there is none to attach. */
export function attachTerminal(
  terminal: Terminal,
  { tty, interactive }: { readonly tty: boolean; readonly interactive: boolean },
): AttachedTerminal {
  if (!tty) return { options: {}, [Symbol.dispose]: () => {} };
  if (interactive && !terminal.isInput) {
    throw new BuildError('ARG_INVALID', 'standard input is not a terminal, so the program cannot have it as one', {
      hint: 'leave out "-t" to pass it on as it is, or "-i" for a terminal without input',
    });
  }
  const sizes = new EventQueue<TerminalSize>();
  const unlisten = terminal.onResize(() => sizes.push(terminal.size()));
  let restore = (): void => {};
  /** The first size is asked for when the program is there: until then Ctrl-C is for us. */
  async function* changing(): AsyncGenerator<TerminalSize, void> {
    if (interactive) restore = terminal.setRaw();
    yield terminal.size();
    yield* sizes;
  }
  return {
    options: { tty: terminal.size(), sizes: changing() },
    [Symbol.dispose]: () => {
      restore();
      unlisten();
      sizes.end();
    },
  };
}
