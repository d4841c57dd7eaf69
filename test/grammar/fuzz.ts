// Random changes to Dockerfiles, and what must hold for whatever comes out: a tree, with every range inside of the file.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import type { Instruction, Range } from '../../grammar/ast.ts';
import { parseDockerfile } from '../../grammar/parse.ts';
import { expandWord, expandWords } from '../../grammar/words/expand.ts';
import { generator } from './random.ts';

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
  '<< ',
  "<<'E'",
  '\tE\n',
  '${v/',
  '##',
  '%%',
  '\u00a0',
  '\u0085',
  '\v',
  '["a", "b"]',
  '--mount=',
  '-- ',
  '# check=skip=all\n',
  '#!/bin/sh\n',
  'ENV ',
  'ARG ',
  'LABEL ',
];

/** Parses broken files. Throws for the first that is not taken as it should be. */
export function fuzzFiles(seed: number, rounds: number): void {
  const random = generator(seed);
  for (let round = 0; round < rounds; round++) {
    const text = mutate(random);
    try {
      checkFile(text);
    } catch (error) {
      throw new Error(`round ${round} of seed ${seed}: ${JSON.stringify(text)}`, { cause: error });
    }
  }
}

/** Expands broken words, and whole broken files as if they were one. */
export function fuzzWords(seed: number, rounds: number): void {
  const random = generator(seed);
  for (let round = 0; round < rounds; round++) {
    const word = mutate(random);
    try {
      checkWord(word);
    } catch (error) {
      throw new Error(`round ${round} of seed ${seed}: ${JSON.stringify(word)}`, { cause: error });
    }
  }
}

function checkFile(text: string): void {
  const size = Buffer.byteLength(text);
  const { instructions, diagnostics } = parseDockerfile(text);
  for (const { code, range } of diagnostics) {
    assert.notEqual(code, 'SYNTAX_ERROR');
    checkRange(range, 0, size);
  }
  let end = 0;
  for (const instruction of instructions) {
    checkInstruction(instruction, end, size);
    end = instruction.range.end.offset;
  }
}

function checkInstruction(instruction: Instruction, from: number, to: number): void {
  const { args, argRanges, range, trigger, flags, heredocs, lines } = instruction;
  checkRange(range, from, to);
  assert.ok(lines.first <= range.start.line && range.end.line <= lines.last);
  assert.equal(args.length, argRanges.length);
  for (const { range: own } of [...flags, ...heredocs]) checkRange(own, range.start.offset, to);
  let start = range.start.offset;
  for (const each of argRanges) {
    checkRange(each, start, range.end.offset);
    start = each.end.offset;
  }
  if (trigger) checkInstruction(trigger, range.start.offset, range.end.offset);
}

function checkRange({ start, end }: Range, from: number, to: number): void {
  assert.ok(start.offset >= from && start.offset <= end.offset && end.offset <= to, `${start.offset}-${end.offset} in ${from}-${to}`);
}

function checkWord(word: string): void {
  for (const options of [
    { escape: '\\', quotes: 'remove' },
    { escape: '`', quotes: 'keep' },
  ] as const) {
    const { text, error } = expandWord(word, () => 'a*b', options);
    assert.ok(error === undefined || text === '');
    assert.equal(expandWords(word, () => 'a*b', options).error, error);
  }
}

function mutate(random: (below: number) => number): string {
  let text = seeds[random(seeds.length)] ?? '';
  for (let change = random(6); change >= 0; change--) {
    const at = random(text.length + 1);
    const removed = random(3) === 0 ? random(12) : 0;
    const other = seeds[random(seeds.length)] ?? '';
    const inserted = random(5) === 0 ? other.slice(random(other.length)) : (SNIPPETS[random(SNIPPETS.length)] ?? '');
    text = text.slice(0, at) + inserted + text.slice(at + removed);
  }
  return text;
}
