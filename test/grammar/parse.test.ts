import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDockerfile } from '../../grammar/parse.ts';
import { DockerfileParser } from '../../grammar/rules.ts';
import { WordParser } from '../../grammar/words/rules.ts';

test('both grammars pass the validations of the parser generator', () => {
  assert.doesNotThrow(() => new DockerfileParser({ validate: true }));
  assert.doesNotThrow(() => new WordParser({ validate: true }));
});

for (const { name, text, want } of [
  { name: 'ASCII', text: 'FROM x\nRUN a\n', want: [0, 6, 7, 12] },
  // printf 'FROM ü\n' | wc -c: 8
  { name: 'two bytes', text: 'FROM ü\nRUN é\n', want: [0, 7, 8, 14] },
  { name: 'three and four bytes', text: 'FROM €\nRUN 😀\n', want: [0, 8, 9, 17] },
  { name: 'a byte order mark', text: '\uFEFFFROM x\nRUN a\n', want: [3, 9, 10, 15] },
  { name: 'CRLF', text: 'FROM x\r\nRUN a\r\n', want: [0, 6, 8, 13] },
  { name: 'many characters before', text: `# ${'é'.repeat(300)}\nFROM x\nRUN a\n`, want: [603, 609, 610, 615] },
] as const) {
  test(`offsets count bytes of the file: ${name}`, () => {
    const ranges = parseDockerfile(text).instructions.flatMap(({ range }) => [range.start.offset, range.end.offset]);
    assert.deepEqual(ranges, want);
    assert.equal(
      Buffer.from(text)
        .subarray(want[0], want[0] + 4)
        .toString(),
      'FROM',
    );
  });
}

for (const { name, text, want } of [
  { name: 'continuations are joined', text: 'FROM x\nRUN  a \\\n # c\n  b\n', want: 'RUN  a   b' },
  { name: 'heredocs follow', text: 'FROM x\nRUN <<-E  \n\ta\n\tE\n', want: 'RUN <<-E\n\ta\n\tE' },
  { name: 'ONBUILD has the heredocs of its trigger', text: 'FROM x\nonbuild run <<E\na\nE\n', want: 'onbuild run <<E\na\nE' },
  { name: 'the case stays', text: 'FROM x\nEnv a=b', want: 'Env a=b' },
]) {
  test(`text: ${name}`, () => assert.equal(parseDockerfile(text).instructions.at(-1)?.text, want));
}

test('text: a trigger is the line without ONBUILD', () => {
  const onbuild = parseDockerfile('FROM x\nONBUILD  Run --network=none <<E\na\nE\n').instructions.at(-1);
  assert.equal(onbuild?.triggerText, 'Run --network=none <<E\na\nE');
  assert.equal(onbuild?.trigger?.nameAsWritten, 'Run');
});

for (const { name, text, want } of [
  { name: 'of 65535 bytes is the longest', text: `FROM x\nRUN ${'a'.repeat(65_531)}\n`, want: [] },
  { name: 'of 65536 bytes is an error', text: `FROM x\nRUN ${'a'.repeat(65_532)}\nUSER\n`, want: ['LINE_TOO_LONG', 'MISSING_ARGUMENT'] },
  { name: 'is measured in bytes', text: `FROM x\nRUN ${'é'.repeat(32_766)}\n`, want: ['LINE_TOO_LONG'] },
  { name: 'is measured before lines are joined', text: `FROM x\nRUN ${`${'a'.repeat(1000)} \\\n`.repeat(100)}b\n`, want: [] },
]) {
  test(`a line ${name}`, () => {
    assert.deepEqual(
      parseDockerfile(text).diagnostics.map(({ code }) => code),
      want,
    );
  });
}
