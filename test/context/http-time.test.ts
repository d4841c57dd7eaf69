import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseHttpTime } from '../../src/context/http-time.ts';

/** What Go's `http.ParseTime`, by which BuildKit 0.32.2 reads Last-Modified, makes of each text: seconds since the epoch. */
const rows = JSON.parse(readFileSync('fixtures/remote/http-times.json', 'utf8')) as { text: string; want: number | null }[];

for (const { text, want } of rows) {
  test(`"${text}" is ${want ?? 'no date'}`, () => assert.equal(parseHttpTime(text) ?? null, want));
}

test('a header that is not there is no date', () => assert.equal(parseHttpTime(undefined), undefined));
