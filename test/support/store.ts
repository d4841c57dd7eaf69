import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Locker, Store } from '../../src/store/store.ts';

/** Locks among the users of one process: enough where no other process opens the store. */
export class LocalLocks implements Locker {
  readonly #last = new Map<string, Promise<void>>();

  async acquire(name: string): Promise<AsyncDisposable> {
    const before = this.#last.get(name);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last.set(name, promise);
    await before;
    return { [Symbol.asyncDispose]: async () => resolve() };
  }
}

/** An empty folder that goes away with the value. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'cooper-test-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** An empty store without a worker, in a folder that goes away with the value. */
export async function temporaryStore(): Promise<AsyncDisposable & { readonly store: Store }> {
  const folder = await temporaryFolder();
  const store = await Store.open(join(folder.path, 'store'), { temporary: 'tmp/test', locks: new LocalLocks() });
  return { store, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}
