import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { BuildError } from '../../src/diagnostics/build-error.ts';
import { throwOnErrors } from '../../src/diagnostics/dockerfile-error.ts';
import { renderDiagnostics, renderError } from '../../src/diagnostics/render.ts';
import type { SourceRange } from '../../src/diagnostics/source-range.ts';

const file = 'FROM scratch\nCOPY dist/app.js /srv/\nRUN apt-get update \\\n  && apt-get install -y curl \\\n  && rm -rf /tmp/x\n';

/** The range of the first `words` in `text`, up to the end of the last `until`. */
function rangeOf(text: string, words: string, until = words): SourceRange {
  const begin = text.indexOf(words);
  return { file: 'Dockerfile', text, start: position(text, begin), end: position(text, text.indexOf(until, begin) + until.length) };
}

function position(text: string, index: number): SourceRange['start'] {
  const before = text.slice(0, index);
  const lines = before.split('\n');
  return { line: lines.length, column: [...(lines.at(-1) ?? '')].length + 1, offset: Buffer.byteLength(before) };
}

const at = (text: string, words: string, until?: string): BuildError =>
  new BuildError('DOCKERFILE_INVALID', 'not good', { range: rangeOf(text, words, until) });

const cases: readonly { readonly name: string; readonly error: BuildError }[] = [
  {
    name: 'missing-source',
    error: new BuildError('COPY_SOURCE_MISSING', '"dist/app.js" is not in the build context', {
      range: rangeOf(file, 'dist/app.js'),
      hint: '.dockerignore line 3 ("dist") leaves it out',
    }),
  },
  { name: 'no-place', error: new BuildError('CONTEXT_INVALID', '"src" is not a directory', { hint: 'give the directory that holds it' }) },
  { name: 'place-without-text', error: new BuildError('RUN_FAILED', 'it failed', { range: { ...rangeOf(file, 'RUN'), text: '' } }) },
  { name: 'several-lines', error: at(file, 'RUN apt-get', '/tmp/x') },
  { name: 'two-lines', error: at(file, 'install', '&& rm') },
  { name: 'ends-before-a-line', error: at(file, 'COPY', '/srv/\n') },
  {
    name: 'notes',
    error: new BuildError('RUN_FAILED', 'the step ended with exit status 2', {
      range: rangeOf(file, 'RUN', 'update'),
      hint: 'the last lines of its output are below',
      notes: ['\u001b[31mcc: not found\u001b[0m', '', 'make: *** [all] Error 127'],
    }),
  },
  { name: 'tabs', error: at('FROM scratch\n\tCOPY\ta b\n', 'a b') },
  { name: 'wide-characters', error: at('LABEL 名前=値 👍 e\u0301 bad=1\n', 'bad=1') },
  { name: 'long-line', error: at(`RUN ${'a'.repeat(500)} here ${'b'.repeat(500)}\n`, 'here') },
  { name: 'long-line-start', error: at(`RUM ${'a'.repeat(5000)}\n`, 'RUM') },
  { name: 'long-line-end', error: at(`RUN ${'a'.repeat(5000)} "open\n`, '"open') },
  { name: 'past-the-end', error: at('FROM scratch\nCOPY a\n', '\n', 'no such') },
  { name: 'line-number-of-four-digits', error: at(`${'\n'.repeat(1233)}RUM x\n`, 'RUM') },
  { name: 'carriage-return', error: at('FROM scratch\r\nRUM x\r\n', 'RUM x') },
  {
    name: 'hostile-text',
    error: new BuildError('STAGE_NOT_FOUND', 'no stage "\u001b[2J\u009b2Jx\nDockerfile:1:1: error: forged"', {
      range: { ...rangeOf('COPY --from=\u001b[2J\u202eevil a b\n', 'evil'), file: 'Docker\u0007file' },
    }),
  },
];

for (const { name, error } of cases) {
  test(`renderError: ${name}`, () => assertGolden(name, renderError(error)));
}

test('renderError: colour wraps the severity and the carets only', () => {
  const text = renderError(at('FROM a b c\n', 'b'), { color: true });
  const want =
    'Dockerfile:1:8: \u001b[1;31merror:\u001b[0m not good [DOCKERFILE_INVALID]\n  1 | FROM a b c\n    | \u001b[1;31m       ^\u001b[0m\n';
  assert.equal(text, want);
});

test('renderError: a line of many megabytes gives a short text', () => {
  const text = renderError(at(`RUN ${'x'.repeat(8e6)} here ${'y'.repeat(8e6)}\n`, 'here'));
  assert.ok(text.length < 400, `${text.length} characters`);
});

test('renderDiagnostics: one after the other, each with its line', () => {
  const [first, second] = [rangeOf(file, 'scratch'), rangeOf(file, 'curl')];
  const text = renderDiagnostics(
    [
      { code: 'A_CODE', severity: 'warning', message: 'first', range: first },
      { code: 'B_CODE', severity: 'error', message: 'second', range: second, hint: 'try "wget"' },
    ],
    { file: 'Dockerfile', text: file },
  );
  assertGolden('diagnostics', text);
});

test('renderError: a Dockerfile with several errors shows them all', () => {
  const findings = ['RUN', 'COPY'].map((words) => {
    return { code: `${words}_CODE`, severity: 'error', message: `bad ${words}`, range: rangeOf(file, words) } as const;
  });
  const source = { file: 'Dockerfile', text: file };
  assert.throws(
    () => throwOnErrors(findings, source),
    (error) => error instanceof BuildError && renderError(error) === renderDiagnostics(findings, source),
  );
});

test('renderDiagnostics: of very many only the first are shown', () => {
  const text = 'x\n'.repeat(100_000);
  const one = { code: 'A_CODE', severity: 'error', message: 'bad', range: rangeOf(text, 'x') } as const;
  const shown = renderDiagnostics(
    Array.from({ length: 100_000 }, () => one),
    { file: 'Dockerfile', text },
  );
  assert.equal(shown.split('A_CODE').length - 1, 50);
  assert.match(shown, /\n\nand 99950 more\n$/);
});

/** `UPDATE_GOLDEN=1` writes them; what it wrote is to be read before it is kept. */
function assertGolden(name: string, text: string): void {
  const path = new URL(`golden/${name}.txt`, import.meta.url);
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(path, text);
  assert.equal(text, readFileSync(path, 'utf8'));
}
