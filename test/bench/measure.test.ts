import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measure, summarize } from '../../bench/measure.ts';

// Expected values: the usual quartiles by linear interpolation (R's type 7).
for (const { samples, low, median, high } of [
  { samples: [7], low: 7, median: 7, high: 7 },
  { samples: [4, 1, 3, 2], low: 1.75, median: 2.5, high: 3.25 },
  { samples: [50, 10, 40, 20, 30], low: 20, median: 30, high: 40 },
]) {
  test(`summarize: ${samples.join(', ')}`, () => {
    assert.deepEqual(summarize(samples), { medianMs: median, lowMs: low, highMs: high, leastMs: Math.min(...samples) });
  });
}

test('measure: contenders take turns, every other round backwards, and warm-ups do not count', async () => {
  const calls: string[] = [];
  const contender = (name: string) => ({ name, run: (round: number) => void calls.push(`${name}${round}`) });
  const measured = await measure([contender('a'), contender('b')], { rounds: 3 });
  assert.deepEqual(calls, ['a0', 'b0', 'b1', 'a1', 'a2', 'b2', 'b3', 'a3']);
  assert.deepEqual(
    measured.map(({ name, samplesMs }) => ({ name, samples: samplesMs.length })),
    [
      { name: 'a', samples: 3 },
      { name: 'b', samples: 3 },
    ],
  );
});
