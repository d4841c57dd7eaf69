import type { BuildEvent } from '../progress/events.ts';
import { rendererFor } from '../progress/renderer.ts';
import type { OnTransfer, TransferEvent } from '../transfer.ts';
import type { Caller } from './caller.ts';

/** Shows blobs on their way as a build shows its tasks. `verb`: `pull` or `push`. */
export function showTransfers(verb: string, quiet: boolean, { color, writeMessage }: Caller): OnTransfer {
  const render = rendererFor(quiet ? 'quiet' : 'plain', color);
  return (event) => writeMessage(render(taskOf(verb, event)));
}

function taskOf(verb: string, event: TransferEvent): BuildEvent {
  const { digest: id, size: total } = event.blob;
  const time = Date.now();
  if (event.type === 'started') return { type: 'task.started', time, id, name: `${verb} ${id}` };
  if (event.type === 'progress') return { type: 'task.progress', time, id, current: event.current, total };
  return { type: 'task.completed', time, id };
}
