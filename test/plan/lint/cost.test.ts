// What somebody could write to keep the linter busy. These end at once, or the runner's own limit ends them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lint } from '../../support/lint-fixtures.ts';

const many = 2000;

for (const { name, text, ignore } of [
  { name: 'updates', text: `FROM scratch\n${'RUN apt-get update\n'.repeat(many)}` },
  { name: 'copies of all', text: `FROM scratch\n${'COPY . /\n'.repeat(many)}RUN npm ci\n` },
  { name: 'stages, each on the one before', text: `FROM scratch AS s0\n${chain(200)}` },
  { name: 'words that are no command', text: `FROM scratch\nRUN ${'apt '.repeat(15_000)}\n` },
  { name: 'open groups', text: `FROM scratch\nRUN ${'( '.repeat(30_000)}\n` },
  { name: 'open substitutions', text: `FROM scratch\nRUN a | ${'$('.repeat(30_000)}\n` },
  { name: 'quotes', text: `FROM scratch\nRUN ${'a | "b" '.repeat(7000)}\n` },
  { name: 'names that are nearly alike', text: `FROM scratch\nENV ${names('a', 2000)}\nCOPY ${names('$b', 500)} /x/\n` },
  { name: 'long names', text: `FROM scratch\nENV ${'a'.repeat(30_000)}=1\nCOPY $${'a'.repeat(30_001)} /x\n` },
  { name: 'values that double', text: `FROM scratch\nENV a=aaaaaaaaaaaaaaaa\n${'ENV a=$a$a\n'.repeat(16)}WORKDIR $a\n` },
  {
    name: 'stars in ignore patterns',
    text: `FROM scratch\nCOPY ${'a/'.repeat(2000)}b /x\n`,
    ignore: `${'**/'.repeat(500)}c\n${'*a'.repeat(500)}c\n`,
  },
]) {
  test(`cost: ${name}`, async () => {
    const { error } = await lint({ text, ...(ignore !== undefined && { ignore }) });
    assert.ok(error === undefined || error.code !== 'INTERNAL');
  });
}

function chain(count: number): string {
  return Array.from({ length: count }, (_, index) => `FROM s${index} AS s${index + 1}\nCMD a\n`).join('');
}

function names(start: string, count: number): string {
  return Array.from({ length: count }, (_, index) => (start.startsWith('$') ? `${start}${index}` : `${start}${index}=1`)).join(' ');
}
