import { Store } from './store/store.ts';
import { Worker, type WorkerOptions } from './worker/worker.ts';

/** A worker and the store it has opened: what every command that writes works with. */
export interface Session extends AsyncDisposable {
  readonly worker: Worker;
  readonly store: Store;
}

/** What a session's worker is told besides the store's root. */
export type SessionOptions = Pick<WorkerOptions, 'environment' | 'userns'>;

/** Opens the store at `root` for writing: `await using session = await openSession(...)`. */
export async function openSession(root: string, signal?: AbortSignal, options: SessionOptions = {}): Promise<Session> {
  await using starting = new AsyncDisposableStack();
  const worker = starting.use(await Worker.start({ root, ...options }, signal));
  const store = await Store.open(root, { temporary: worker.info.temporary, locks: locksOf(worker) });
  // From here on the session is what ends the worker.
  const owned = starting.move();
  return { worker, store, [Symbol.asyncDispose]: () => owned.disposeAsync() };
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
