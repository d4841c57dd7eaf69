import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pages } from '../../scripts/docs/pages.ts';

const docs = join(import.meta.dirname, '../../docs');

for (const [name, make] of Object.entries(pages)) {
  test(`docs/${name} is what "npm run docs" makes of the source`, async () => {
    assert.equal(readFileSync(join(docs, name), 'utf8'), await make());
  });
}
