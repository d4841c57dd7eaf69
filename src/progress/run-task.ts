import type { BuildEvent } from './events.ts';

/** What is told of work outside the graph. */
export interface Task {
  /** Groups its events. */
  readonly id: string;
  /** For people; the id unless said. */
  readonly name?: string;
  readonly emit: (event: BuildEvent) => void;
}

/** In bytes. */
export type OnProgress = (current: number, total?: number) => void;

/** Does the work, and tells of its beginning, of how far it is, and of its end. Work that is given up because of `signal` has no end. */
export async function runTask<T>(
  { id, name = id, emit }: Task,
  work: (onProgress: OnProgress) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  emit({ type: 'task.started', time: Date.now(), id, name });
  try {
    const result = await work((current, total) => {
      emit({ type: 'task.progress', time: Date.now(), id, current, ...(total !== undefined && { total }) });
    });
    emit({ type: 'task.completed', time: Date.now(), id });
    return result;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!signal.aborted) emit({ type: 'task.failed', time: Date.now(), id, message });
    throw error;
  }
}
