import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { digestOf } from '../../src/oci/digest.ts';
import { transferAll } from '../../src/registry/transfer.ts';

const blobs = Array.from({ length: 10 }, (_, at) => ({ mediaType: 'x', digest: digestOf(String(at)), size: 1 }));
const { signal } = new AbortController();

test('each blob moves once, a few at a time', async () => {
  let now = 0;
  let most = 0;
  const moved: string[] = [];
  const move = async ({ digest }: { digest: string }) => {
    most = Math.max(most, ++now);
    await new Promise(setImmediate);
    moved.push(digest);
    now--;
  };
  await transferAll([...blobs, ...blobs], move, signal);
  assert.deepEqual(moved.sort(), blobs.map(({ digest }) => digest).sort());
  assert.equal(most, 4);
});

test('the first failure ends the others, and is the one that is told', async () => {
  let started = 0;
  let ended = 0;
  const move = async (_: unknown, either: AbortSignal) => {
    if (++started === 4) throw new Error('the first');
    await once(either, 'abort');
    ended++;
    throw new Error('a later one');
  };
  await assert.rejects(transferAll(blobs, move, signal), /the first/);
  assert.deepEqual([started, ended], [4, 3]);
});

test('an abort is told as what it was', async () => {
  const controller = new AbortController();
  const move = async (_: unknown, either: AbortSignal) => {
    controller.abort(new Error('stopped'));
    either.throwIfAborted();
  };
  await assert.rejects(transferAll(blobs, move, controller.signal), /stopped/);
});
