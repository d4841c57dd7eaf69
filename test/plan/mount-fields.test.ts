import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseDockerfile } from '../../grammar/parse.ts';
import { BuildError } from '../../src/diagnostics/build-error.ts';
import { expandText, expansionBudget } from '../../src/plan/expansion.ts';
import { type MountFields, MountProblem, parseMount } from '../../src/plan/mount-fields.ts';

/** One line for each value of `--mount`: what BuildKit 0.32.2 reads there (empty fields left out), or its error. */
interface Row {
  readonly value: string;
  readonly want?: Partial<MountFields>;
  readonly error?: string;
}

const file = join(import.meta.dirname, '../../fixtures/mount-values.jsonl');
const rows = readFileSync(file, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Row);

const scope = new Map(Object.entries({ d: '/c', t: 'cache', id: 'i', empty: '' }));
const place = { line: 1, column: 1, offset: 0 };
const at = { file: 'Dockerfile', text: '', start: place, end: place };
const expand = (value: string): string => expandText(value, scope, { escape: '\\', budget: expansionBudget(), range: at });

/** What the parser makes of a flag; some values are refused there already. */
function textOf(value: string): string {
  const { instructions, diagnostics } = parseDockerfile(`FROM scratch\nRUN --mount=${value} x\n`);
  const wrong = diagnostics.find(({ severity }) => severity === 'error');
  if (wrong) throw new MountProblem(wrong.message);
  return instructions[1]?.flags[0]?.text ?? '';
}

/** What an empty field says is nothing, and so is a size of 0. */
const said = (fields: MountFields): object =>
  Object.fromEntries(Object.entries(fields).filter(([key, value]) => value !== '' && !(key === 'size' && value === 0)));

for (const { value, want, error } of rows) {
  test(`--mount=${value} is ${error === undefined ? 'read' : 'refused'} as BuildKit does it`, () => {
    const parse = () => parseMount(textOf(value), expand);
    if (error === undefined) assert.deepEqual(said(parse()), want);
    else assert.throws(parse, (problem) => problem instanceof MountProblem || problem instanceof BuildError);
  });
}

for (const { value, hint } of [
  { value: 'type=cach,target=/a', hint: 'did you mean "cache"?' },
  { value: 'type=cache,tarqet=/a', hint: 'did you mean "target"?' },
  { value: 'type=cache,sharing=lockd', hint: 'did you mean "locked"?' },
  { value: 'required,type=secret,id=k', hint: '"required" is for mounts of type secret and ssh, and stands after the type' },
]) {
  test(`--mount=${value} says what would be right`, () =>
    assert.throws(
      () => parseMount(value, expand),
      (error) => error instanceof MountProblem && error.hint === hint,
    ));
}
