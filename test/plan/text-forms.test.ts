import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCsvLine } from '../../grammar/csv.ts';
import { parseDuration } from '../../grammar/duration.ts';
import { parseByteSize } from '../../src/plan/byte-size.ts';
import { absolutePath, destinationPath, sourcePath } from '../../src/plan/container-path.ts';
import { formatDuration, plainList, quoteList } from '../../src/plan/go-format.ts';
import { parsePorts } from '../../src/plan/ports.ts';

/** One test for a function of one argument and its table of [given, wanted]. */
function table<Given, Wanted>(name: string, run: (given: Given) => Wanted, rows: readonly (readonly [Given, Wanted])[]): void {
  for (const [given, want] of rows) test(`${name}(${JSON.stringify(given)})`, () => assert.deepEqual(run(given), want));
}

// Go: time.ParseDuration, in nanoseconds.
table<string, number | undefined>('parseDuration', parseDuration, [
  ['0', 0],
  ['30s', 30e9],
  ['1m30s', 90e9],
  ['1.5h', 5400e9],
  ['.5s', 5e8],
  ['1.s', 1e9],
  ['100us', 1e5],
  ['100µs', 1e5],
  ['1ms1ns', 1_000_001],
  ['', undefined],
  ['5', undefined],
  ['-1s', undefined],
  ['-0s', 0],
  ['1 s', undefined],
  ['1d', undefined],
  ['s', undefined],
  ['2562048h', undefined],
  ['1'.repeat(100_000), undefined],
]);

// Go: time.Duration.String.
table<number, string>('formatDuration', formatDuration, [
  [0, '0s'],
  [1, '1ns'],
  [1500, '1.5µs'],
  [5e6, '5ms'],
  [1_500_000, '1.5ms'],
  [1e9, '1s'],
  [1_000_000_001, '1.000000001s'],
  [90e9, '1m30s'],
  [7200e9, '2h0m0s'],
  [3661.5e9, '1h1m1.5s'],
]);

// Go: fmt.Sprintf("%q", list) and fmt.Sprintf("%v", list).
table<string[], string>('quoteList', quoteList, [
  [[], '[]'],
  [['a', 'b c'], '["a" "b c"]'],
  [['"\\'], '["\\"\\\\"]'],
  [['\n\t\x00\x7f'], '["\\n\\t\\x00\\x7f"]'],
  [['ä日\u{1f600}\u00a0\u200b'], '["ä日\u{1f600}\\u00a0\\u200b"]'],
]);
table<string[], string>('plainList', plainList, [
  [[], '[]'],
  [['a', 'b c'], '[a b c]'],
]);

// docker/go-units: RAMInBytes.
table<string, number | undefined>('parseByteSize', parseByteSize, [
  ['1024', 1024],
  ['32b', 32],
  ['1k', 1024],
  ['64m', 67108864],
  ['1.5GiB', 1610612736],
  ['1 MB', 1048576],
  ['', undefined],
  ['m', undefined],
  ['-1', undefined],
  ['1x', undefined],
  ['99999999p', undefined],
]);

// Go: encoding/csv, one record.
table<string, string[] | undefined>('parseCsvLine', parseCsvLine, [
  ['a,b=c', ['a', 'b=c']],
  ['a,', ['a', '']],
  ['"a,b",c', ['a,b', 'c']],
  ['"a""b"', ['a"b']],
  ['', ['']],
  ['a"b', undefined],
  ['"a', undefined],
  ['"a"b', undefined],
]);

table<string, readonly string[] | undefined>('parsePorts', parsePorts, [
  ['80', ['80/tcp']],
  ['80/', ['80/tcp']],
  ['1-2/UDP', ['1/udp', '2/udp']],
  ['1000-1001:80', ['80/tcp']],
  ['[::1]:80:81', ['81/tcp']],
  ['::1:80:81', ['81/tcp']],
  ['1-2:1-3', undefined],
  ['x:80', undefined],
  ['80/tcp/udp', undefined],
  ['/tcp', undefined],
]);

for (const [directory, path, absolute, destination] of [
  ['/', 'a', '/a', '/a'],
  ['/a', '', '/a', '/a/'],
  ['/a', '.', '/a', '/a/'],
  ['/a', 'b/', '/a/b', '/a/b/'],
  ['/a', '../..', '/', '/'],
  ['/a', '/b//c/.', '/b/c', '/b/c/'],
  ['a', 'b', '/a/b', '/a/b'],
] as const) {
  test(`"${path}" in "${directory}"`, () => {
    assert.equal(absolutePath(directory, path), absolute);
    assert.equal(destinationPath(directory, path), destination);
  });
}

table<string, string>('sourcePath', sourcePath, [
  ['', '/'],
  ['a/', '/a'],
  ['../../a', '/a'],
  ['//a/../b', '/b'],
]);
