import { channel } from 'node:diagnostics_channel';
import { Store } from './store/store.ts';
import type { DoctorCheck } from './worker/protocol.ts';
import { Worker, type WorkerOptions } from './worker/worker.ts';

/** A worker and the store it has opened: what every command that writes works with. */
export interface Session extends AsyncDisposable {
  readonly worker: Worker;
  readonly store: Store;
}

/** What a session's worker is told besides the store's root. */
export type SessionOptions = Pick<WorkerOptions, 'environment' | 'userns'>;

/** What a session found on this machine. */
export interface Found {
  readonly root: string;
  readonly info: Worker['info'];
  readonly checks: readonly DoctorCheck[];
}

/** Who subscribes is told of each session that is opened (`Found`). Only then is there anything to be found out. */
export const sessions = channel('cooper:session');

/** Opens the store at `root` for writing: `await using session = await openSession(...)`. */
export async function openSession(root: string, signal?: AbortSignal, options: SessionOptions = {}): Promise<Session> {
  await using starting = new AsyncDisposableStack();
  const worker = starting.use(await Worker.start({ root, ...options }, signal));
  if (sessions.hasSubscribers) sessions.publish(await examine(root, worker, signal));
  const store = await Store.open(root, { temporary: worker.info.temporary, locks: locksOf(worker) });
  // From here on the session is what ends the worker.
  const owned = starting.move();
  return { worker, store, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function examine(root: string, worker: Worker, signal: AbortSignal | undefined): Promise<Found> {
  const { checks } = await worker.call('doctor', {}, { signal });
  return { root, info: worker.info, checks };
}

/** Locks of the store, held by the worker: they end with it, however it ends. */
const locksOf = (worker: Worker) => ({
  async acquire(name: string, exclusive: boolean): Promise<AsyncDisposable> {
    const { lock } = await worker.call('lock.acquire', { name, exclusive });
    return {
      async [Symbol.asyncDispose]() {
        await worker.call('lock.release', { lock });
      },
    };
  },
});
