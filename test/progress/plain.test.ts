import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { plainRenderer } from '../../src/progress/plain.ts';

// golden/<case>.jsonl holds the events of a build, golden/<case>.txt what is shown. `UPDATE_GOLDEN=1` writes the latter.
const golden = new URL('golden/', import.meta.url);

for (const file of readdirSync(golden).filter((name) => name.endsWith('.jsonl'))) {
  const name = file.replace('.jsonl', '');
  test(`plain: ${name}`, () => {
    const render = plainRenderer();
    const events = readFileSync(new URL(file, golden), 'utf8').trim().split('\n');
    const text = events.map((line) => render(JSON.parse(line))).join('');
    const path = new URL(`${name}.txt`, golden);
    if (process.env.UPDATE_GOLDEN === '1') writeFileSync(path, text);
    assert.equal(text, readFileSync(path, 'utf8'));
  });
}
