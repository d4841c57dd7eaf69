import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../src/oci/digest.ts';
import { renderJson } from '../../src/progress/json.ts';
import { rendererFor } from '../../src/progress/renderer.ts';

const vertex = `sha256:${'a'.repeat(64)}` as Digest;

test('json: an event is one line, whatever its text', () => {
  const text = renderJson({ type: 'vertex.output', time: 5, vertex, stream: 'stdout', text: 'a\nb\u2028"\u001b[1m' });
  const want = `{"type":"vertex.output","time":5,"vertex":"${vertex}","stream":"stdout","text":"a\\nb\u2028\\"\\u001b[1m"}\n`;
  assert.equal(text, want);
});

test('json: a range comes without the whole file', () => {
  const position = { line: 1, column: 1, offset: 0 };
  const range = { file: 'Dockerfile', text: 'FROM scratch\n', start: position, end: position };
  const event = JSON.parse(renderJson({ type: 'warning', time: 5, message: 'odd', range }));
  assert.deepEqual(event.range, { file: 'Dockerfile', start: position, end: position });
});

test('quiet: nothing at all', () => {
  assert.equal(rendererFor('quiet', false)({ type: 'vertex.started', time: 5, vertex, name: 'RUN make' }), '');
});
