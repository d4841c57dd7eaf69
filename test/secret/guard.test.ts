import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BuildError } from '../../src/diagnostics/build-error.ts';
import { throwOnErrors } from '../../src/diagnostics/dockerfile-error.ts';
import { renderError } from '../../src/diagnostics/render.ts';
import type { BuildEvent } from '../../src/progress/events.ts';
import { SecretGuard } from '../../src/secret/guard.ts';
import { MaskedTexts } from '../../src/secret/masked-texts.ts';

const value = 'hunter22-secret';
const lines = 'first line of it\nsecond line of it';

function guard(): SecretGuard {
  const made = new SecretGuard();
  made.know([
    { id: 'word', scan: true, forms: [Buffer.from(value), Buffer.from('aHVudGVyMjItc2Vjcm')], lines: [] },
    { id: 'free', scan: false, forms: [Buffer.from('may-be-anywhere')], lines: [] },
    { id: 'two', scan: true, forms: [Buffer.from(lines)], lines: lines.split('\n').map((line) => Buffer.from(line)) },
    { id: 'bytes', scan: true, forms: [Buffer.from('fffefdfcfbfaf9f8', 'hex')], lines: [] },
  ]);
  return made;
}

for (const [text, want] of [
  [`a ${value} b`, 'a *** b'],
  [`${value}${value}.${value}`, '***.***'],
  ['Basic aHVudGVyMjItc2VjcmV0', 'Basic ***V0'],
  ['may-be-anywhere', '***'],
  ['> first line of it\n> second line of it', '> ***\n> ***'],
  [lines, '***'],
  ['nothing', 'nothing'],
  ['', ''],
] as const) {
  test(`mask: ${JSON.stringify(text)}`, () => assert.equal(guard().mask(text), want));
}

test('without secrets everything is as it is', () => {
  const event: BuildEvent = { type: 'warning', time: 1, message: value };
  const error = new BuildError('INTERNAL', value);
  assert.equal(new SecretGuard().maskEvent(event), event);
  assert.equal(new SecretGuard().maskError(error), error);
  assert.equal(error.message, value);
  assert.equal(new SecretGuard().find(value), undefined);
});

test('find: what may not be in what is built', () => {
  for (const [content, id] of [
    [`x${value}`, 'word'],
    [Buffer.from(`x${value}`), 'word'],
    [Buffer.from('00fffefdfcfbfaf9f800', 'hex'), 'bytes'],
    ['may-be-anywhere', undefined],
    // A line of it alone is not it.
    ['first line of it', undefined],
    [value.slice(1), undefined],
  ] as const) {
    assert.equal(guard().find(content), id, String(content));
  }
});

test('events: texts are masked, and steps are still told apart', () => {
  const vertex = 'sha256:hunter22-secret' as never;
  const masked = guard().maskEvent({ type: 'plan', time: 1, vertices: [{ vertex, name: `RUN ${value}`, inputs: [vertex] }] });
  assert.deepEqual(masked, { type: 'plan', time: 1, vertices: [{ vertex, name: 'RUN ***', inputs: [vertex] }] });
});

test('errors: messages, hints, notes, source lines, stacks and causes are masked', () => {
  const text = `FROM scratch\n# ${lines}\nENV A=${value}\n`;
  const range = { file: 'Dockerfile', text, start: { line: 4, column: 1, offset: 0 }, end: { line: 4, column: 4, offset: 0 } };
  const cause = Object.assign(new Error(`spawn git ${value}`), { cmd: `git ${value}`, spawnargs: ['-c', value], socket: new Map() });
  const error = new BuildError('RUN_FAILED', `"echo ${value}" failed`, { range, hint: `not ${value}`, notes: ['a', `b ${value}`], cause });
  assert.equal(guard().maskError(error), error);
  const rendered = renderError(error);
  assert.match(rendered, /^Dockerfile:4:1: error: "echo \*\*\*" failed/);
  assert.match(rendered, /4 \| ENV A=\*\*\*\n/);
  const all = [rendered, error.stack, cause.stack, cause.cmd, ...cause.spawnargs, JSON.stringify(error)].join('\n');
  assert.ok(!all.includes('hunter22') && !all.includes('line of it'), all);
});

test('errors: all that is wrong with a Dockerfile', () => {
  const position = { line: 1, column: 1, offset: 0 };
  const finding = { code: 'X', severity: 'error', message: `unknown "${value}"`, range: { start: position, end: position } } as const;
  try {
    throwOnErrors([finding, finding], { file: 'Dockerfile', text: `${value}\n` });
    assert.fail();
  } catch (error) {
    const masked = guard().maskError(error);
    assert.ok(masked instanceof BuildError && !renderError(masked).includes('hunter22'), String(masked));
  }
});

test('what is thrown may be anything, also one that goes in circles', () => {
  const circle = new Error(value);
  circle.cause = circle;
  for (const thrown of [circle, value, undefined, null, 5, Object.freeze(new Error('fine'))]) guard().maskError(thrown);
  assert.equal(circle.message, '***');
});

test('other programs get no variable that holds a secret', () => {
  const environment = { PATH: '/bin', TOKEN: value, URL: `https://u:${value}@host`, HOME: undefined };
  assert.deepEqual(guard().withoutSecrets(environment), { PATH: '/bin', HOME: undefined });
});

test('MaskedTexts agrees with a naive search', () => {
  const patterns = ['abab', 'babbb', 'aaab', 'bbbbbbb'];
  const masked = new MaskedTexts(patterns.map((pattern) => Buffer.from(pattern)));
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((seed / 2 ** 31) * below);
  };
  for (let round = 0; round < 2000; round++) {
    const text = Array.from({ length: random(30) }, () => 'abc'[random(3)]).join('');
    const covered = Array.from(text, (_, at) =>
      patterns.some((pattern) => [...pattern].some((_each, back) => at - back >= 0 && text.startsWith(pattern, at - back))),
    );
    const naive = Array.from(text, (character, at) => (covered[at] ? (covered[at - 1] ? '' : '#') : character)).join('');
    assert.equal(
      masked.replace(text, () => '#'),
      naive,
      text,
    );
  }
});
