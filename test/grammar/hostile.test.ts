// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are words of a shell.
// Input that nobody means well. None of these tests looks at a clock: what is quadratic here would take hours.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDockerfile } from '../../grammar/parse.ts';
import { expandWord } from '../../grammar/words/expand.ts';
import { fuzzFiles, fuzzWords } from './fuzz.ts';

test('10,000 broken files: always a tree, with ranges inside of the file', () => fuzzFiles(20_261_121, 10_000));

test('10,000 broken words: always a result', () => fuzzWords(7, 10_000));

for (const { name, text, want } of [
  { name: '100,000 instructions', text: `FROM a\n${'RUN b \\\n c\n'.repeat(100_000)}`, want: 100_001 },
  { name: '10 MB of heredoc', text: `FROM a\nRUN <<E\n${'x é\n'.repeat(2_000_000)}E\n`, want: 2 },
  { name: '10 MB of continuations', text: `FROM a\nRUN b ${'c \\\n'.repeat(2_500_000)}`, want: 2 },
  { name: '10 MB of blank lines in a continuation', text: `FROM a\nRUN b \\\n${' \n'.repeat(300_000)}`, want: 2 },
  { name: '10 MB of comments', text: '# escape=`\n# c\n'.repeat(700_000), want: 0 },
  { name: '10 MB of brackets', text: `FROM a\nRUN ${'['.repeat(10_000_000)}`, want: 2 },
  { name: 'an exec form of 100,000 strings', text: `FROM a\nRUN [${'"b", \\\n'.repeat(100_000)}"c"]`, want: 2 },
  {
    name: '20,000 heredocs that never end',
    text: `FROM a\n${Array.from({ length: 20_000 }, (_, at) => `RUN <<E${at}\n`).join('')}`,
    want: 20_001,
  },
  { name: '100,000 heredocs in a line', text: `FROM a\nCOPY ${'<<A '.repeat(100_000)}/x\n${'A\n'.repeat(100_000)}`, want: 2 },
  { name: '100,000 times ONBUILD', text: 'ONBUILD '.repeat(100_000), want: 1 },
  { name: '100,000 assignments', text: `FROM a\nENV ${'a=b '.repeat(100_000)}`, want: 2 },
  { name: '100,000 flags', text: `FROM a\nRUN ${'--mount=é '.repeat(100_000)}`, want: 2 },
  { name: 'a name of 10 MB', text: 'é'.repeat(5_000_000), want: 1 },
  { name: '100,000 lone escape characters', text: `${'\\\n'.repeat(100_000)}FROM a`, want: 1 },
  { name: '100,000 comments and blank lines in a continuation', text: `FROM a\nRUN b \\\n${'# c\n\n'.repeat(100_000)}d`, want: 2 },
  { name: '100,000 escape characters in a row', text: `FROM a\nENV b="${'\\'.repeat(100_000)}" c=d`, want: 2 },
  { name: '10 MB of white space', text: `FROM a\nRUN b${' '.repeat(10_000_000)}\n`, want: 2 },
  { name: '50,000 heredocs', text: `FROM a\n${'RUN <<A b\nc\nA\n'.repeat(50_000)}`, want: 50_001 },
  { name: '50,000 quoted heredocs in a line', text: `FROM a\nRUN ${'<<"A" '.repeat(50_000)}\n${'A\n'.repeat(50_000)}`, want: 2 },
  { name: 'a heredoc behind 100,000 open quotes', text: `FROM a\nRUN ${"'".repeat(100_001)} <<A\n`, want: 2 },
  { name: 'a heredoc behind 100,000 open braces', text: `FROM a\nRUN ${'${a:-'.repeat(100_000)} <<A\n`, want: 2 },
  { name: '64 KiB of array in an array', text: `FROM a\nRUN ${'['.repeat(30_000)}${']'.repeat(30_000)}`, want: 2 },
  { name: '100,000 directives', text: `${'# escape=\\\n'.repeat(100_000)}FROM a`, want: 1 },
  { name: '100,000 unknown instructions', text: 'FORM a\n'.repeat(100_000), want: 100_000 },
]) {
  test(`${name} are parsed in one go`, () => assert.equal(parseDockerfile(text).instructions.length, want));
}

for (const { name, word, want } of [
  { name: 'defaults in each other, as deep as is allowed', word: `${'${a:-'.repeat(200)}x${'}'.repeat(200)}`, want: 'x' },
  { name: '100,000 variables', word: '$a'.repeat(100_000), want: '' },
  { name: '100,000 substitutions', word: '${a:-x}'.repeat(100_000), want: 'x'.repeat(100_000) },
  { name: '100,000 quoted words', word: `"a"'b'`.repeat(100_000), want: 'ab'.repeat(100_000) },
  { name: '1 MB of escapes', word: '\\x'.repeat(500_000), want: 'x'.repeat(500_000) },
]) {
  test(`a word of ${name} is expanded in one go`, () => {
    assert.deepEqual(expandWord(word, () => undefined, { escape: '\\', quotes: 'remove' }).text, want);
  });
}
