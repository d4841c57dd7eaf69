import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planOf, testPlans } from '../plan-of.ts';

testPlans('LABEL', [
  { name: 'sets labels', text: 'FROM scratch\nLABEL b=2 a="1 0"', config: { Labels: { a: '1 0', b: '2' } }, history: ['LABEL b=2 a=1 0'] },
  { name: 'keeps those of the base', text: 'FROM app\nLABEL a=1', config: { Labels: { a: '1', vendor: 'us' } } },
  { name: 'replaces those of the base', text: 'FROM app\nLABEL vendor=me', config: { Labels: { vendor: 'me' } } },
  { name: 'takes the old form', text: 'FROM scratch\nLABEL a b  c', config: { Labels: { a: 'b  c' } } },
  { name: 'expands values', text: 'FROM scratch\nARG v=3\nLABEL version=$v', config: { Labels: { version: '3' } } },
  {
    name: 'loses to the command line',
    text: 'FROM scratch\nLABEL a=1 b=1',
    options: { labels: { a: '2', c: '2' } },
    config: { Labels: { a: '2', b: '1', c: '2' } },
    history: ['LABEL a=1 b=1'],
  },
]);

test('LABEL: names are sorted, as Go writes a map', async () => {
  const { config } = await planOf('FROM scratch\nLABEL b=1 B=1 Test=0 a=1', { labels: { Z: '1' } });
  assert.deepEqual(Object.keys(config.Labels ?? {}), ['B', 'Test', 'Z', 'a', 'b']);
});

test('LABEL: "__proto__" is a name as any other', async () => {
  const { config } = await planOf('FROM scratch\nLABEL __proto__=x');
  assert.deepEqual(Object.entries(config.Labels ?? {}), [['__proto__', 'x']]);
});
