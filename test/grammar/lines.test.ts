// What lint rules are told of the lines around an instruction. Expected values as BuildKit 0.32.2 gives them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDockerfile } from '../../grammar/parse.ts';

for (const { name, text, want } of [
  { name: 'all lines above', text: '# a\n# b\nFROM x\n', want: ['a', 'b'] },
  { name: 'not the directives', text: '# syntax=a\n# b\nFROM x\n', want: ['b'] },
  { name: 'a blank line parts nothing', text: '# a\n\n# b\nFROM x\n', want: ['a', 'b'] },
  { name: 'an empty comment does', text: '# a\n#\n# b\nFROM x\n', want: ['b'] },
  { name: 'an indented one keeps its sign', text: ' # a\nFROM x\n', want: ['# a'] },
  { name: 'not those of another instruction', text: '# a\nFROM x\n# b\nRUN c\nRUN d\n', want: [] },
  { name: 'not those inside', text: '# a\nRUN b \\\n# c\nd\n', want: ['a'] },
  { name: 'not those in a heredoc', text: '# a\nRUN <<E\n# b\nE\n', want: ['a'] },
  { name: 'behind a byte order mark', text: '\uFEFF# a\nFROM x\n', want: ['a'] },
]) {
  test(`comments: ${name}`, () => assert.deepEqual(parseDockerfile(text).instructions.at(-1)?.comments, want));
}

for (const { name, text, want } of [
  { name: 'one', text: 'FROM x\nRUN a\n', want: { lines: { first: 2, last: 2 } } },
  { name: 'joined', text: 'FROM x\nRUN a \\\n\n b\n', want: { lines: { first: 2, last: 4 }, emptyContinuation: 4 } },
  { name: 'joined without blank ones', text: 'FROM x\nRUN a \\\n# c\n b\n', want: { lines: { first: 2, last: 4 } } },
  { name: 'blank ones at the end', text: 'FROM x\nRUN a \\\n\n \n', want: { lines: { first: 2, last: 4 }, emptyContinuation: 4 } },
  { name: 'a lone escape character', text: 'FROM x\n\\\n\nRUN a\nRUN b\n', want: { lines: { first: 5, last: 5 } } },
  { name: 'a heredoc', text: 'FROM x\nRUN a <<E \\\n\nb\nc\nE\n', want: { lines: { first: 2, last: 6 }, emptyContinuation: 4 } },
  { name: 'a trigger', text: 'FROM x\nONBUILD RUN \\\n\n<<E\nc\nE\n', want: { lines: { first: 2, last: 6 }, emptyContinuation: 4 } },
]) {
  test(`lines: ${name}`, () => {
    const { lines, emptyContinuation } = parseDockerfile(text).instructions.at(-1) ?? {};
    assert.deepEqual({ lines, ...(emptyContinuation === undefined ? {} : { emptyContinuation }) }, want);
  });
}

test('lines: a lone escape character is the first', () => {
  const [, run] = parseDockerfile('FROM x\n\\\n\nRUN a\n').instructions;
  assert.deepEqual(run?.lines, { first: 2, last: 4 });
  assert.equal(run?.emptyContinuation, 4);
});
