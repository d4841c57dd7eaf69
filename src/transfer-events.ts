import type { BuildEvent } from './progress/events.ts';
import type { TransferEvent } from './registry/transfer.ts';

/** A blob on its way, as a task of the event stream. `verb`: `pull` or `push`. */
export function taskOfTransfer(verb: 'pull' | 'push', event: TransferEvent): BuildEvent {
  const { digest, size: total } = event.blob;
  const id = `${verb} ${digest}`;
  const time = Date.now();
  if (event.type === 'started') return { type: 'task.started', time, id, name: id };
  if (event.type === 'progress') return { type: 'task.progress', time, id, current: event.current, total };
  return { type: 'task.completed', time, id };
}
