import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest } from '../../src/diagnostics/suggest.ts';

const instructions = ['FROM', 'RUN', 'COPY', 'ADD', 'ENV', 'ENTRYPOINT', 'HEALTHCHECK', 'WORKDIR'];

for (const { name, word, candidates, want } of [
  { name: 'two letters swapped are one slip', word: 'RNU', candidates: instructions, want: 'RUN' },
  { name: 'a letter missing', word: 'CPY', candidates: instructions, want: 'COPY' },
  { name: 'a letter too many', word: 'COPPY', candidates: instructions, want: 'COPY' },
  { name: 'a letter wrong', word: 'FRON', candidates: instructions, want: 'FROM' },
  { name: 'case does not count', word: 'workdri', candidates: instructions, want: 'WORKDIR' },
  { name: 'a long word may have three slips', word: 'HELTHCHEKC', candidates: instructions, want: 'HEALTHCHECK' },
  { name: 'a short word may have one', word: 'ABC', candidates: instructions, want: undefined },
  { name: 'nothing near', word: 'FRONTEND', candidates: instructions, want: undefined },
  { name: 'the nearest wins over the first', word: 'ENVV', candidates: ['EN', 'ENV'], want: 'ENV' },
  { name: 'the first of equally near ones wins', word: 'bar', candidates: ['baz', 'bat'], want: 'baz' },
  { name: 'a candidate that shares no letter is no suggestion', word: 'xy', candidates: ['t'], want: undefined },
  { name: 'an empty word means nothing', word: '', candidates: ['a'], want: undefined },
  { name: 'no candidates', word: 'RUN', candidates: [], want: undefined },
  { name: 'a word of absurd length is not measured', word: 'R'.repeat(1e6), candidates: ['R'.repeat(1e6 - 1)], want: undefined },
] as const) {
  test(`nearest: ${name}`, () => assert.equal(nearest(word, candidates), want));
}
