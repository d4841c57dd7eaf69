import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Instruction } from '../../grammar/ast.ts';
import { diagnosticCodes } from '../../grammar/diagnostics.ts';
import { instructions } from '../../grammar/instructions/index.ts';
import { parseDockerfile } from '../../grammar/parse.ts';
import { dump } from './dump.ts';

const fixtures = new URL('../../fixtures/dockerfiles/', import.meta.url);
const kinds = ['ok', 'err'] as const;

const cases = kinds.flatMap((kind) =>
  readdirSync(new URL(`${kind}/`, fixtures))
    .sort()
    .map((name) => {
      const folder = new URL(`${kind}/${name}/`, fixtures);
      const dockerfile = parseDockerfile(readFileSync(new URL('Dockerfile', folder), 'utf8'));
      return { kind, name, dockerfile, expected: readFileSync(new URL('expected', folder), 'utf8') };
    }),
);

for (const { kind, name, dockerfile, expected } of cases) {
  test(`Dockerfile ${kind}/${name}`, () => {
    assert.equal(dump(dockerfile), expected);
    const failed = dockerfile.diagnostics.some(({ severity }) => severity === 'error');
    assert.equal(failed, kind === 'err');
  });
}

/** Codes without a golden file, and why. */
const elsewhere = new Set([
  'LINE_TOO_LONG', // parse.test.ts: 64 KiB are no reading
  'SYNTAX_ERROR', // every text fits the grammar: hostile.test.ts sees that none gets it
]);

test('golden files have every diagnostic', () => {
  const seen = new Set(cases.flatMap(({ dockerfile }) => dockerfile.diagnostics.map(({ code }) => code)));
  assert.deepEqual(
    Object.keys(diagnosticCodes).filter((code) => !seen.has(code) && !elsewhere.has(code)),
    [],
  );
});

test('golden files have every instruction in each of its forms, every flag, and an error of each instruction', () => {
  const all = (kind: string): readonly Instruction[] =>
    cases.flatMap((each) =>
      each.kind === kind ? each.dockerfile.instructions.flatMap((one) => (one.trigger ? [one, one.trigger] : [one])) : [],
    );
  const right = all('ok');
  const messages = cases.flatMap(({ kind, dockerfile }) => (kind === 'err' ? dockerfile.diagnostics.map(({ message }) => message) : []));
  for (const { name, layout, flags } of instructions) {
    const own = right.filter((each) => each.name === name);
    // SHELL in shell form is an error.
    for (const form of name === 'SHELL' ? (['exec'] as const) : formsOf[layout])
      assert.ok(
        own.some((each) => each.form === form),
        `${name} in form ${form}`,
      );
    for (const flag of Object.keys(flags))
      assert.ok(
        own.some((each) => each.flags.some((given) => given.name === flag)),
        `${name} --${flag}`,
      );
    // CMD and ENTRYPOINT take whatever there is but arrays of other things than strings, which their message does not name.
    if (!['CMD', 'ENTRYPOINT'].includes(name))
      assert.ok(
        messages.some((message) => message.includes(name)),
        `an error of ${name}`,
      );
  }
});

const formsOf = {
  command: ['shell', 'exec'],
  script: ['shell', 'exec'],
  files: ['words', 'exec'],
  list: ['words', 'exec'],
  words: ['words'],
  text: ['words'],
  assignments: ['words', 'legacy'],
  names: ['words'],
  health: ['words', 'shell', 'exec'],
  trigger: ['words'],
} as const;
