import { Store } from './store/store.ts';
import { Worker } from './worker/worker.ts';

/** A worker and the store it has opened: what every command that writes works with. */
export interface Session extends AsyncDisposable {
  readonly worker: Worker;
  readonly store: Store;
}

/** Opens the store at `root` for writing: `await using session = await openSession(...)`. */
export async function openSession(
  root: string,
  signal?: AbortSignal,
  environment?: Readonly<Record<string, string | undefined>>,
): Promise<Session> {
  await using starting = new AsyncDisposableStack();
  const worker = starting.use(await Worker.start({ root, environment }, signal));
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
