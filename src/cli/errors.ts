import { BuildError } from '../diagnostics/build-error.ts';
import { codes } from '../diagnostics/codes.ts';
import { renderError } from '../diagnostics/render.ts';
import type { Caller } from './caller.ts';

/** Tells the user what went wrong and gives the exit status that it ends the command with. */
export function reportError(error: unknown, debug: boolean, { signal, color, writeMessage }: Caller): number {
  // Once interrupted, whatever still fails does so because of that.
  if (signal.aborted) {
    if (signal.reason instanceof ResultUnread) return 1;
    writeMessage(renderError(new BuildError('CANCELLED', 'interrupted'), { color }));
    if (debug) writeMessage(`${stackOf(error)}\n`);
    return codes.CANCELLED.status;
  }
  if (!(error instanceof BuildError)) {
    const message = error instanceof Error ? error.message : String(error);
    writeMessage(
      renderError(new BuildError('INTERNAL', message, { hint: 'this is a defect of cooper; please report it with what follows' })),
    );
    writeMessage(`${stackOf(error)}\n`);
    return codes.INTERNAL.status;
  }
  writeMessage(renderError(error, { color }));
  if (debug) writeMessage(`${stackOf(error)}\n`);
  return codes[error.code].status;
}

/** Why a command is aborted whose standard output was closed, as by `| head -1`: nothing is to be said then. */
export class ResultUnread extends Error {
  override readonly name = 'ResultUnread';
}

/** The stack of an error, and those of its causes. */
function stackOf(error: unknown): string {
  const stacks: string[] = [];
  for (let at = error; at !== undefined && stacks.length < 16; at = at instanceof Error ? at.cause : undefined) {
    stacks.push(at instanceof Error ? (at.stack ?? at.message) : String(at));
  }
  return stacks.join('\ncaused by: ');
}
