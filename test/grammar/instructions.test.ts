import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instructions, syntaxOf } from '../../grammar/instructions/index.ts';
import { nearest } from '../../grammar/nearest.ts';

// Source: Dockerfile reference of the frontend 1.26; flags that can be repeated have a star, those without a value a question mark.
const REFERENCE: Record<string, string> = {
  ADD: 'checksum chmod chown exclude* keep-git-dir? link? unpack?',
  ARG: '',
  CMD: '',
  COPY: 'chmod chown exclude* from link? parents?',
  ENTRYPOINT: '',
  ENV: '',
  EXPOSE: '',
  FROM: 'platform',
  HEALTHCHECK: 'interval retries start-interval start-period timeout',
  LABEL: '',
  MAINTAINER: '',
  ONBUILD: '',
  RUN: 'device* mount* network security',
  SHELL: '',
  STOPSIGNAL: '',
  USER: '',
  VOLUME: '',
  WORKDIR: '',
};

test('the instructions and their flags are those of the reference', () => {
  const ours = instructions.map(({ name, flags }) => [
    name,
    Object.entries(flags)
      .map(([flag, { value, repeatable }]) => `${flag}${repeatable ? '*' : ''}${value === 'boolean' ? '?' : ''}`)
      .sort()
      .join(' '),
  ]);
  assert.deepEqual(Object.fromEntries(ours), REFERENCE);
});

test('instructions are found in any case, and nothing else is', () => {
  assert.equal(syntaxOf('rUn')?.name, 'RUN');
  assert.equal(syntaxOf('constructor'), undefined);
});

const names = Object.keys(REFERENCE);
for (const [word, want] of [
  ['FORM', 'FROM'],
  ['FRO', 'FROM'],
  ['COYP', 'COPY'],
  ['RUNN', 'RUN'],
  ['ENTRIPOINT', 'ENTRYPOINT'],
  ['WORKINGDIR', 'WORKDIR'],
  ['HEALTCHECK', 'HEALTHCHECK'],
  ['INCLUDE', undefined],
  ['BODY', undefined],
  ['EOF', undefined],
  ['EXPS', 'EXPOSE'],
  ['A', undefined],
  ['', undefined],
  ['X'.repeat(100_000), undefined],
] as const) {
  test(`nearest: ${word.slice(0, 20)}`, () => assert.equal(nearest(word, names), want));
}
