import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

// docs/security.md names tests: `FILE` "part of a name" "…", with ° where it runs only as the user who runs the tests. Here the names are looked up.

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/security.md'), 'utf8');
/** Tables with a column of tests, their rows alone. */
const tables = [...page.matchAll(/^\| attack.*\| test \|\n\|[-|]+\|\n((?:\|.*\n)+)/gm)].map((match) => match[1] ?? '');
const rows = tables.flatMap((table) => table.trim().split('\n'));
const reference = /`([\w./-]+)`((?:,? "[^"]+"(?: \((?:root|rootless)\))?)+)( °)?/g;

/** The file of a test as the page names it. */
function fileOf(name: string): string {
  return join(root, name.startsWith('native/') ? name : `test/${name}.test.ts`);
}

describe('docs/security.md', () => {
  test('has many rows', () => assert.ok(rows.length > 60, String(rows.length)));

  for (const row of rows) {
    const [, attack = '', , tests = ''] = row.split(/ ?\| ?/);
    test(`the tests exist: ${attack}`, () => {
      const found = [...tests.matchAll(reference)];
      assert.ok(found.length > 0, `it names no test: ${tests}`);
      assert.equal(found.length, tests.match(/`[\w./-]+`(?= ")/g)?.length);
      for (const [, name = '', parts = '', single] of found) {
        assert.ok(existsSync(fileOf(name)), `there is no ${name}`);
        const text = readFileSync(fileOf(name), 'utf8');
        for (const [, part = ''] of parts.matchAll(/"([^"]+)"/g)) assert.ok(text.includes(part), `${name} has no "${part}"`);
        const isBoth = text.includes('support/modes.ts') || parts.endsWith('(root)');
        assert.equal(single === undefined, isBoth, `${name} ${isBoth ? 'needs no °' : 'runs as one user only: °'}`);
      }
    });
  }
});
