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
