import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventQueue } from '../src/event-queue.ts';

test('a reader who comes late gets everything, in order', async () => {
  const queue = new EventQueue<number>();
  for (const value of [1, 2, 3]) queue.push(value);
  queue.end();
  assert.deepEqual(await Array.fromAsync(queue), [1, 2, 3]);
});

test('a reader who waits gets values as they come, until the end', async () => {
  const queue = new EventQueue<number>();
  const read = Array.fromAsync(queue);
  for (const value of [1, 2]) {
    await Promise.resolve();
    queue.push(value);
  }
  queue.end();
  assert.deepEqual(await read, [1, 2]);
});

test('who makes more than a reader takes is held back until it has caught up', async () => {
  const queue = new EventQueue<number>();
  const reader = queue[Symbol.asyncIterator]();
  queue.push(0);
  assert.deepEqual(await reader.next(), { done: false, value: 0 });
  for (let value = 1; value <= 1000; value++) queue.push(value);
  let isHeld = true;
  const held = queue.keptUp().then(() => {
    isHeld = false;
  });
  for (let value = 1; value <= 1000; value++) {
    if (value <= 700) assert.ok(isHeld);
    assert.deepEqual(await reader.next(), { done: false, value });
  }
  const next = reader.next();
  await held;
  queue.end();
  assert.deepEqual(await next, { done: true, value: undefined });
});

for (const [name, stop] of [
  ['nobody has begun to read', async () => {}],
  [
    'the reader has stopped',
    async (queue: EventQueue<number>) => {
      for await (const _ of queue) break;
    },
  ],
] as const) {
  test(`nobody is held back where ${name}`, async () => {
    const queue = new EventQueue<number>();
    queue.push(0);
    await stop(queue);
    for (let value = 1; value <= 1000; value++) queue.push(value);
    await queue.keptUp();
  });
}
