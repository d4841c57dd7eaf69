import { rendererFor } from '../progress/renderer.ts';
import type { OnTransfer } from '../registry/transfer.ts';
import { taskOfTransfer } from '../transfer-events.ts';
import type { Caller } from './caller.ts';

/** Shows blobs on their way as a build shows its tasks. `verb`: `pull` or `push`. */
export function showTransfers(verb: 'pull' | 'push', quiet: boolean, { color, writeMessage }: Caller): OnTransfer {
  const render = rendererFor(quiet ? 'quiet' : 'plain', color);
  return (event) => writeMessage(render(taskOfTransfer(verb, event)));
}
