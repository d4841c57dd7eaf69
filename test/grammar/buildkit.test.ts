// Every row of buildkit.jsonl is an answer of BuildKit 0.32.2's own parser, and of its reader of instructions, to our golden files and to
// mutations of them. Where it fails we report an error, and go on, so the rest is not compared.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Flag, Instruction } from '../../grammar/ast.ts';
import { splitKeyValue } from '../../grammar/key-values.ts';
import { parseDockerfile } from '../../grammar/parse.ts';

interface Row {
  readonly text: string;
  readonly fails?: string;
}

const rows = readFileSync(new URL('../../fixtures/dockerfiles/buildkit.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Row);

for (const [index, { text, fails, ...want }] of rows.entries()) {
  test(`as BuildKit: row ${index + 1}: ${JSON.stringify(text).slice(0, 80)}`, () => {
    const { directives, escape: escapeCharacter, instructions, diagnostics } = parseDockerfile(text);
    const errors = diagnostics.filter(({ severity }) => severity === 'error');
    assert.equal(errors.length > 0, fails !== undefined, fails ?? errors[0]?.message);
    if (fails !== undefined) return;
    const empty = instructions.flatMap(({ emptyContinuation }) => emptyContinuation ?? []);
    const { syntax, check } = directives;
    const made = {
      escape: escapeCharacter === '`' ? escapeCharacter : undefined,
      syntax,
      check,
      nodes: instructions.map(topNode),
      emptyContinuations: empty.length > 0 ? empty : undefined,
    };
    assert.deepEqual(JSON.parse(JSON.stringify(made)), want);
  });
}

function topNode(instruction: Instruction): object {
  const { trigger, lines, comments, triggerText, heredocs, name } = instruction;
  const from = (trigger ?? instruction).heredocs;
  return {
    ...node(instruction),
    ...(heredocs.length > 0 || trigger?.heredocs.length
      ? { heredocs: from.map(({ name, expand, chomp, raw }) => ({ name, expand, chomp, raw })) }
      : {}),
    lines: `${lines.first}-${lines.last}`,
    ...(comments.length > 0 ? { comments } : {}),
    ...(name === 'ONBUILD' ? { expression: triggerText } : {}),
  };
}

function node(instruction: Instruction): object {
  const { nameAsWritten, flags, trigger, form } = instruction;
  return {
    name: nameAsWritten,
    ...(flags.length > 0 ? { flags: flags.map(written) } : {}),
    ...(trigger ? { trigger: node(trigger) } : { args: argumentsOf(instruction) }),
    ...(form === 'exec' ? { json: true } : {}),
  };
}

const written = ({ name, text }: Flag): string => (text === undefined ? `--${name}` : `--${name}=${text}`);

/** BuildKit has no argument where a shell form is empty, and a key, a value and a delimiter for each variable. */
function argumentsOf({ name, form, args }: Instruction): readonly string[] {
  if (form === 'shell' && args.length === 1 && args[0] === '') return [];
  if (name !== 'ENV' && name !== 'LABEL') return args;
  if (form === 'legacy') return [...args, ''];
  return args.flatMap((arg) => {
    const pair = splitKeyValue(arg);
    return pair ? [pair.name, pair.value, '='] : [arg];
  });
}
