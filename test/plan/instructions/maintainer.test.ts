import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planOf } from '../plan-of.ts';

test('MAINTAINER: is the author, as written', async () => {
  const { author, history } = await planOf('FROM debian\nENV a=1\nMAINTAINER A  <a@$a> "x"');
  assert.equal(author, 'A  <a@$a> "x"');
  assert.equal(history[1]?.createdBy, 'MAINTAINER A  <a@$a> "x"');
});

test('MAINTAINER: is the author of the base without it', async () => {
  assert.equal((await planOf('FROM debian\nENV a=1')).author, 'base author');
  assert.equal((await planOf('FROM scratch\nENV a=1')).author, undefined);
});
