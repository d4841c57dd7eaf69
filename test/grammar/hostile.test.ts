// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are words of a shell.
// Input that nobody means well. None of these tests looks at a clock: what is quadratic here would take hours.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Instruction } from '../../grammar/ast.ts';
import { parseDockerfile } from '../../grammar/parse.ts';
import { expandWord, expandWords } from '../../grammar/words/expand.ts';

const fixtures = new URL('../../fixtures/dockerfiles/', import.meta.url);
const seeds = ['ok', 'err'].flatMap((kind) =>
  readdirSync(new URL(`${kind}/`, fixtures)).map((name) => readFileSync(new URL(`${kind}/${name}/Dockerfile`, fixtures), 'utf8')),
);
const SNIPPETS = [
  '\\',
  '`',
  '\n',
  '\r\n',
  '"',
  "'",
  '[',
  ']',
  '<<E',
  '<<-',
  '--',
  '=',
  '#',
  '# escape=`\n',
  '$',
  '${',
  '}',
  ':-',
  '/',
  '\0',
];
const MORE = [
  ' ',
  '\t',
  '\uFEFF',
  '😀',
  '\ud800',
  '\u2028',
  'ONBUILD ',
  'HEALTHCHECK ',
  'CMD ["',
  'RUN ',
  'E\n',
  '\\\n',
  '*',
  '?',
  '%',
  ':?',
];

test('10,000 broken files: always a tree, with ranges inside of the file', () => {
  const random = generator(20_261_121);
  for (let round = 0; round < 10_000; round++) {
    const text = mutate(random);
    const size = Buffer.byteLength(text);
    const { instructions, diagnostics } = parseDockerfile(text);
    for (const { code, range } of diagnostics) {
      assert.notEqual(code, 'SYNTAX_ERROR', JSON.stringify(text));
      assert.ok(range.start.offset >= 0 && range.start.offset <= range.end.offset && range.end.offset <= size, JSON.stringify(text));
    }
    let end = 0;
    for (const instruction of instructions) {
      assert.ok(instruction.range.start.offset >= end && instruction.range.end.offset <= size, JSON.stringify(text));
      end = instruction.range.end.offset;
      checkArguments(instruction, text);
    }
  }
});

test('10,000 broken words: always a result', () => {
  const random = generator(7);
  for (let round = 0; round < 10_000; round++) {
    const word = mutate(random);
    for (const options of [
      { escape: '\\', quotes: 'remove' },
      { escape: '`', quotes: 'keep' },
    ] as const) {
      const { text, error } = expandWord(word, () => 'a*b', options);
      assert.ok(error === undefined || text === '');
      assert.equal(expandWords(word, () => 'a*b', options).error, error);
    }
  }
});

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
]) {
  test(`${name} are parsed in one go`, () => assert.equal(parseDockerfile(text).instructions.length, want));
}

function checkArguments({ args, argRanges, range, trigger }: Instruction, text: string): void {
  assert.equal(args.length, argRanges.length, JSON.stringify(text));
  let start = range.start.offset;
  for (const each of argRanges) {
    assert.ok(each.start.offset >= start && each.end.offset <= range.end.offset, JSON.stringify(text));
    start = each.end.offset;
  }
  if (trigger) checkArguments(trigger, text);
}

function mutate(random: (below: number) => number): string {
  let text = seeds[random(seeds.length)] ?? '';
  const snippets = [...SNIPPETS, ...MORE];
  for (let change = random(6); change >= 0; change--) {
    const at = random(text.length + 1);
    const removed = random(3) === 0 ? random(12) : 0;
    const other = seeds[random(seeds.length)] ?? '';
    const inserted = random(5) === 0 ? other.slice(random(other.length)) : (snippets[random(snippets.length)] ?? '');
    text = text.slice(0, at) + inserted + text.slice(at + removed);
  }
  return text;
}

/** A linear congruential generator with the constants of Numerical Recipes: the same inputs on every machine. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
