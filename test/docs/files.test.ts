import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');

test('docs/files.md names every environment variable that the source reads by its name', () => {
  const page = readFileSync(join(root, 'docs/files.md'), 'utf8');
  const files = globSync('src/**/*.ts', { cwd: root });
  const read = files.flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    return [...text.matchAll(/\b(?:environment|env)\.([A-Z][A-Z0-9_]+)/g)].map((match) => match[1] ?? '');
  });
  assert.ok(read.includes('DOCKER_CONFIG'), read.join());
  assert.deepEqual(
    [...new Set(read)].filter((name) => !new RegExp(`^\\|.*\\b${name}\\b.*\\|`, 'm').test(page)),
    [],
  );
});
