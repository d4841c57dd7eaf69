import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DiffID } from '../../src/oci/digest.ts';
import type { ImageConfig } from '../../src/oci/image-config.ts';
import { rules } from '../../src/plan/lint/rules.ts';
import { lint } from '../support/lint-fixtures.ts';

const folder = join(import.meta.dirname, '../../docs/rules');
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

const imageFor = (architecture: string): ImageConfig => ({
  os: 'linux',
  architecture,
  config: {},
  rootfs: { type: 'layers', diff_ids: [`sha256:${'1'.repeat(64)}` as DiffID] },
});

/** What the examples stand on. */
const images = {
  'registry.example/only-arm64': imageFor('arm64'),
  'registry.example/only-amd64': imageFor('amd64'),
  'registry.example/base:1': imageFor('amd64'),
  'registry.example/base:1-slim': imageFor('amd64'),
  'registry.example/base:latest': imageFor('amd64'),
};

test('docs/rules has a page for each rule, and the list names them all', () => {
  const names = rules.map(({ name }) => name).toSorted();
  assert.deepEqual(readdirSync(folder).toSorted(), [...names.map((name) => `${name}.md`), 'README.md'].toSorted());
  const listed = [...read('README.md').matchAll(/^\| \[(\w+)\]\((\w+)\.md\) \| (.*) \| (\w+)/gm)];
  assert.deepEqual(
    listed.map(([, name, file, description, from]) => ({ name, file, description, from })),
    rules
      .toSorted((one, other) => (one.name < other.name ? -1 : 1))
      .map(({ name, description, own }) => ({ name, file: name, description, from: own ? 'cooper' : 'BuildKit' })),
  );
});

for (const { name, description, url, own } of rules) {
  test(`docs/rules/${name}.md says what the rule asks for, and its examples are right`, async () => {
    const page = read(`${name}.md`);
    assert.ok(page.startsWith(`# ${name}\n\n${description}.\n`));
    if (url && !own) assert.ok(page.includes(url));
    if (own) assert.equal(url, `docs/rules/${name}.md`);
    const examples = [...page.matchAll(/^```dockerfile\n(.*?)^```$/gms)].map((match) => match[1] ?? '');
    const found = await Promise.all(
      examples.map(async (text) => (await lint({ text, images, ignore: 'dist\n' })).warnings.map(({ rule }) => rule.name)),
    );
    assert.equal(found.length, 2);
    assert.ok(found[0]?.includes(name), `${found[0]}`);
    assert.ok(!found[1]?.includes(name), `${found[1]}`);
  });
}
