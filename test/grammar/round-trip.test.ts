// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are words of a shell.
// Printing an AST as a Dockerfile and parsing that gives the same AST, but for places and what was said about the lines.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Dockerfile, Flag, Heredoc, Instruction } from '../../grammar/ast.ts';
import { instructions } from '../../grammar/instructions/index.ts';
import type { InstructionSyntax } from '../../grammar/instructions/syntax.ts';
import { parseDockerfile } from '../../grammar/parse.ts';
import { generator } from './random.ts';
import { writeDockerfile } from './write-dockerfile.ts';

const fixtures = new URL('../../fixtures/dockerfiles/ok/', import.meta.url);

for (const name of readdirSync(fixtures).sort()) {
  test(`round trip: ${name}`, () => {
    const first = parseDockerfile(readFileSync(new URL(`${name}/Dockerfile`, fixtures), 'utf8'));
    assert.deepEqual(meaning(parseDockerfile(writeDockerfile(first))), meaning(first));
  });
}

test('round trip: 3,000 random files', () => {
  const random = generator(20_261_122);
  for (let round = 0; round < 3_000; round++) {
    const made = randomDockerfile(random);
    const text = writeDockerfile(made);
    const parsed = parseDockerfile(text);
    assert.deepEqual(
      parsed.diagnostics.filter(({ severity }) => severity === 'error'),
      [],
      text,
    );
    assert.deepEqual(meaning(parsed), meaning(made), text);
  }
});

type Meaning = Pick<Dockerfile, 'directives' | 'escape' | 'instructions'>;

function meaning({ directives, escape: escapeCharacter, instructions }: Meaning): object {
  return { directives, escape: escapeCharacter, instructions: instructions.map(meaningOf) };
}

function meaningOf({ name, nameAsWritten, flags, form, args, heredocs, trigger, comments }: Instruction): object {
  return {
    name,
    nameAsWritten,
    form,
    args,
    flags: flags.map(({ name, value, text }) => ({ name, value, text })),
    heredocs: heredocs.map(({ name, expand, chomp, content }) => ({ name, expand, chomp, content })),
    trigger: trigger && meaningOf(trigger),
    comments,
  };
}

type Random = (below: number) => number;

const place = { line: 1, column: 1, offset: 0 };
const range = { start: place, end: place };
const pick = <Item>(random: Random, items: readonly Item[]): Item => items[random(items.length)] as Item;
const several = <Item>(random: Random, most: number, make: () => Item): Item[] => Array.from({ length: random(most + 1) }, make);

const WORDS = ['a', '/b/c', '$v', '${v:-w}', '"x"', "'y'", 'é', '😀', 'a=b', '[', '#', '1', '-x', '\\$', 'https://a/b?c', 'c*', '<d', '{}'];
const VALUES = ['a', '"a b"', "'c'", '$v', '', '1:2', 'é'];
const BODIES = ['', 'a\n', '\ttab\n', '# no comment\n', 'RUN b\n\n', '$v "q"\n', 'é \\\n'];

function randomDockerfile(random: Random): Meaning {
  const escapeCharacter = pick(random, [undefined, '\\', '`'] as const);
  const from: Instruction = { ...blank, name: 'FROM', nameAsWritten: 'FROM', args: ['scratch'] };
  return {
    directives: { ...(random(2) ? { syntax: 'docker/dockerfile:1' } : {}), ...(escapeCharacter ? { escape: escapeCharacter } : {}) },
    escape: escapeCharacter ?? '\\',
    instructions: [from, ...several(random, 8, () => randomInstruction(random, escapeCharacter ?? '\\'))],
  };
}

const blank: Instruction = {
  name: '',
  nameAsWritten: '',
  flags: [],
  form: 'words',
  args: [],
  argRanges: [],
  heredocs: [],
  text: '',
  range,
  comments: [],
  lines: { first: 1, last: 1 },
};

function randomInstruction(random: Random, escapeCharacter: string): Instruction {
  const syntax = pick(
    random,
    instructions.filter(({ layout }) => layout !== 'trigger'),
  );
  const comments = several(random, 2, () => pick(random, ['c', 'escape=`', '# d']));
  if (random(6) > 0 || ['FROM', 'MAINTAINER'].includes(syntax.name)) return { ...randomDirect(random, syntax, escapeCharacter), comments };
  const trigger = randomDirect(random, syntax, escapeCharacter);
  return { ...blank, name: 'ONBUILD', nameAsWritten: pick(random, ['ONBUILD', 'onbuild']), trigger, comments };
}

function randomDirect(random: Random, syntax: InstructionSyntax, escapeCharacter: string): Instruction {
  const { name } = syntax;
  const nameAsWritten = pick(random, [name, name.toLowerCase()]);
  const made = { ...blank, name, nameAsWritten, ...randomArguments(random, syntax, escapeCharacter) };
  const flags = made.args[0] === 'NONE' ? [] : Object.keys(syntax.flags).flatMap((flag) => randomFlag(random, flag, syntax));
  const heredocs = made.form === 'exec' ? [] : made.args.flatMap((arg) => randomHeredoc(random, arg, name));
  return { ...made, flags, heredocs };
}

const flagValues: Readonly<Record<string, readonly string[]>> = {
  network: ['none', '"host"'],
  security: ['sandbox'],
  mount: ['type=cache,target=/c', '"type=bind"'],
  device: ['a/b=c'],
  retries: ['3'],
  interval: ['5s'],
  timeout: ['1m'],
  'start-period': ['0'],
  'start-interval': ['1.5h'],
};

function randomFlag(random: Random, name: string, { flags }: InstructionSyntax): Flag[] {
  if (random(3) > 0) return [];
  if (flags[name]?.value === 'boolean' && random(2)) return [{ name, range }];
  const value = pick(random, flags[name]?.value === 'boolean' ? ['true', 'FALSE'] : (flagValues[name] ?? VALUES));
  return [{ name, value, text: value.replace(/["']/g, ''), range }];
}

type Given = Pick<Instruction, 'form' | 'args'>;

function randomArguments(random: Random, { name, layout }: InstructionSyntax, escapeCharacter: string): Given {
  // The escape character has rules of its own in quoted words.
  const words = WORDS.filter((word) => !word.includes(escapeCharacter));
  const word = (): string => pick(random, words);
  const strings = (): string[] => ['e', ...several(random, 3, () => pick(random, ['', 'a b', '"', '\\', '😀', '\u2028', '<<E']))];
  const text = (): string => ['t', ...several(random, 4, word)].join(' ');
  switch (layout) {
    case 'command':
    case 'script':
      if (name === 'SHELL' || random(3) === 0) return { form: 'exec', args: strings() };
      return { form: 'shell', args: [name === 'RUN' && random(3) === 0 ? heredocWords(random, text()) : text()] };
    case 'files':
      if (random(4) === 0) return { form: 'exec', args: ['a', ...strings().filter((each) => each !== '<<E'), '/d'] };
      return { form: 'words', args: [...(random(3) === 0 ? heredocWords(random, '/s').split(' ') : ['s']), '/d'] };
    case 'list':
      return random(2) ? { form: 'exec', args: ['/a b', '/c'] } : { form: 'words', args: ['v', ...several(random, 2, word)] };
    case 'words':
      return {
        form: 'words',
        args: name === 'FROM' ? [word(), ...pick(random, [[], ['as', 'b-1']])] : ['80', ...several(random, 3, word)],
      };
    case 'text':
      return { form: 'words', args: [text()] };
    case 'assignments':
      if (random(4) === 0) return { form: 'legacy', args: ['k', text()] };
      return { form: 'words', args: ['k=v', ...several(random, 3, () => `é=${pick(random, VALUES)}`)] };
    case 'names':
      return { form: 'words', args: ['k', ...several(random, 3, () => `é=${pick(random, VALUES)}`)] };
    default:
      if (random(3) === 0) return { form: 'words', args: ['NONE'] };
      return random(2) ? { form: 'shell', args: ['CMD', text()] } : { form: 'exec', args: ['CMD', ...strings()] };
  }
}

const starts = ['<<E', '<<-E', "<<'E'", '3<<"F"', '<<-"F"'] as const;

const heredocWords = (random: Random, before: string): string =>
  [before, pick(random, starts), ...several(random, 2, () => pick(random, starts))].join(' ');

/** The bodies of what `heredocWords` announced. */
function randomHeredoc(random: Random, arg: string, instruction: string): Heredoc[] {
  if (!['ADD', 'COPY', 'RUN'].includes(instruction)) return [];
  return arg.split(' ').flatMap((word) => {
    const [, dash, quote, name = ''] = /^\d*<<(-?)(["']?)([EF])["']?$/.exec(word) ?? [];
    if (name === '') return [];
    const raw = several(random, 3, () => pick(random, BODIES)).join('');
    const content = dash ? raw.replace(/^\t+/gm, '') : raw;
    return [{ name, expand: quote === '', chomp: dash === '-', content, raw, range }];
  });
}
