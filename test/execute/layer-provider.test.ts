import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { LayerProvider } from '../../src/execute/layer-provider.ts';
import { openSession, type Session } from '../../src/session.ts';
import { putLayer } from '../support/images.ts';
import { temporaryFolder } from '../support/store.ts';

const { signal } = new AbortController();

/** A store of a real worker, and the provider of one build. */
async function makeRig(): Promise<AsyncDisposable & Session & { readonly provider: LayerProvider }> {
  const folder = await temporaryFolder();
  const session = await openSession(join(folder.path, 'store'));
  return {
    ...session,
    provider: new LayerProvider(session.store, session.worker),
    async [Symbol.asyncDispose]() {
      await session[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

test("a base's layers are fetched when they are needed, and once", async () => {
  await using rig = await makeRig();
  const layer = await putLayer(rig.store, { file: 'text' });
  let fetched = 0;
  rig.provider.addForeign({
    layers: [layer],
    fetch: async () => {
      fetched++;
    },
  });
  assert.equal(fetched, 0);
  await Promise.all([1, 2, 3].map(() => rig.provider.ensureSnapshots([layer.diffID], signal)));
  assert.deepEqual(await rig.provider.ensureBlob(layer.diffID, signal), layer.descriptor);
  assert.equal(fetched, 1);
  const { layers } = await rig.worker.call('tree.stat', { layers: [layer.diffID] });
  assert.deepEqual(layers, [{ index: true, snapshot: true }]);
});

test('a fetch that failed is tried again by the next who asks', async () => {
  await using rig = await makeRig();
  const layer = await putLayer(rig.store, { file: 'text' });
  const failures = [new Error('no connection')];
  rig.provider.addForeign({
    layers: [layer],
    fetch: async () => {
      const failure = failures.pop();
      if (failure) throw failure;
    },
  });
  await assert.rejects(rig.provider.ensureSnapshots([layer.diffID], signal), /no connection/);
  await rig.provider.ensureSnapshots([layer.diffID], signal);
});

test('two bases are fetched side by side', async () => {
  await using rig = await makeRig();
  // Each waits until the other is asked for: one after the other they would wait for ever.
  const began = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const layers = await Promise.all(
    began.map(async ({ resolve }, index) => {
      const layer = await putLayer(rig.store, { [`file-${index}`]: 'text' });
      const fetch = async () => {
        resolve();
        await began[1 - index]?.promise;
      };
      rig.provider.addForeign({ layers: [layer], fetch });
      return layer;
    }),
  );
  await Promise.all(layers.map(({ diffID }) => rig.provider.ensureIndexes([diffID], signal)));
});
