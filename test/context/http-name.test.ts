import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileNameOf } from '../../src/context/http-name.ts';

/** The names under which BuildKit 0.32.2 saves what these URLs give (`dispatchCopy` and `pathutil.SafeFileName`). */
const rows = JSON.parse(readFileSync('fixtures/remote/file-names.json', 'utf8')) as { url: string; want: string }[];

for (const { url, want } of rows) {
  test(`${JSON.stringify(url)} gives "${want}"`, () => assert.equal(fileNameOf(url), want));
}

test('a name that no directory takes is replaced', () => assert.equal(fileNameOf(`https://a/${'x'.repeat(256)}`), 'download'));
