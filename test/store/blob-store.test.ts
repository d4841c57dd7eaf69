import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { blobStoreSuite } from '../suites/blob-store.ts';
import { temporaryStore } from '../support/store.ts';

blobStoreSuite(async () => {
  const made = await temporaryStore();
  const { blobs, root } = made.store;
  return { blobs, temporary: () => readdir(join(root, 'tmp/test')), [Symbol.asyncDispose]: () => made[Symbol.asyncDispose]() };
});
