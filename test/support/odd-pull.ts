import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { validateImage } from '../../src/image/validate-image.ts';
import { pullImage } from '../../src/pull.ts';
import type { Credentials } from '../../src/registry/credentials.ts';
import { Registry } from '../../src/registry/registry.ts';
import { type Answer, startOddRegistry } from './odd-registry.ts';
import { temporaryStore } from './store.ts';

const platform = { os: 'linux', architecture: 'amd64' };
const { signal } = new AbortController();
/** For tests: as often as it takes to see a retry, without a wait that one would notice. */
export const retry = { attempts: 3, baseMs: 1 };

/** What a pull that ended well leaves. */
export interface Pulled {
  readonly requests: string[];
  readonly host: string;
}

/** Pulls `name` from a registry that answers so. What fails leaves no name, and no file that is not finished. */
export async function pull(
  answer: Answer,
  { name = 'app:1', credentials, end = signal }: { name?: string; credentials?: Credentials; end?: AbortSignal } = {},
): Promise<Pulled> {
  await using server = await startOddRegistry(answer);
  await using made = await temporaryStore();
  const registry = new Registry({ environment: {}, retry, credentials: { get: async () => credentials } });
  try {
    const ref = await pullImage(`${server.host}/${name}`, platform, { store: made.store, registry }, end);
    assert.deepEqual(await validateImage(made.store.blobs, ref.descriptor), []);
    return { requests: server.requests, host: server.host };
  } catch (error) {
    assert.deepEqual(await made.store.refs.list(), []);
    throw error;
  } finally {
    await registry.close();
    assert.deepEqual(await readdir(join(made.store.root, 'tmp/test')), []);
  }
}
