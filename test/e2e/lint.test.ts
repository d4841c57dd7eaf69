// What the rules find in a build, and what becomes of the build.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainRenderer } from '../../src/progress/plain.ts';
import { busyboxStage, type LibraryBuild, makeBench } from '../support/library.ts';

const rulesIn = ({ events }: LibraryBuild): string[] =>
  events.flatMap((event) => (event.type === 'warning' && event.rule !== undefined ? [`${event.rule}:${event.range?.start.line}`] : []));

const shownOf = ({ events }: LibraryBuild): string => {
  const render = plainRenderer();
  return events.map(render).join('');
};

test('a build tells what the rules find, and shows it at its end', async () => {
  await using bench = await makeBench({ Dockerfile: 'FROM scratch as base\nCOPY busybox /a\nCMD a\n' });
  const built = await bench.built();
  assert.deepEqual(rulesIn(built), ['FromAsCasing:1', 'JSONArgsRecommended:3']);
  const warning = built.events.find(({ type }) => type === 'warning');
  assert.equal(warning?.type === 'warning' && warning.url, 'https://docs.docker.com/go/dockerfile/rule/from-as-casing/');
  assert.match(shownOf(built), /\nbuilt sha256:[0-9a-f]{64}\n 2 warnings found:\n - FromAsCasing: .* \(line 1\)\n/);
});

test('a build that fails tells it, too', async () => {
  const Dockerfile = `${busyboxStage}CMD a\nRUN exit 3\n`;
  await using bench = await makeBench({ Dockerfile });
  const failed = await bench.run();
  assert.equal(failed.error?.code, 'RUN_FAILED');
  assert.deepEqual(rulesIn(failed), [`JSONArgsRecommended:${Dockerfile.split('\n').indexOf('CMD a') + 1}`]);
  assert.match(shownOf(failed), /\n 1 warning found:\n - JSONArgsRecommended: /);
});

test('a file that cannot be parsed has what was found before the error', async () => {
  await using bench = await makeBench({ Dockerfile: 'FROM scratch as base\nNOPE\nMAINTAINER me\n' });
  const failed = await bench.run();
  assert.equal(failed.error?.code, 'DOCKERFILE_INVALID');
  assert.deepEqual(rulesIn(failed), ['FromAsCasing:1']);
});

test('"error=true" ends the build before anything runs', async () => {
  await using bench = await makeBench({ Dockerfile: '# check=error=true\nFROM scratch as base\nCOPY busybox /a\nCMD a\n' });
  const failed = await bench.run();
  assert.equal(failed.error?.message, 'lint violation found for rules: FromAsCasing, JSONArgsRecommended');
  assert.equal(failed.error?.code, 'LINT_FAILED');
  assert.deepEqual(failed.ran, []);
});

test('the build argument takes the place of the directive, and is not called unused', async () => {
  await using bench = await makeBench({ Dockerfile: '# check=error=true\nFROM scratch as base\nCOPY busybox /a\n' });
  const built = await bench.built({ buildArgs: { BUILDKIT_DOCKERFILE_CHECK: 'skip=FromAsCasing', UNUSED: '1' } });
  assert.deepEqual(rulesIn(built), []);
  const codes = built.events.flatMap((event) => (event.type === 'warning' ? [event.code] : []));
  assert.deepEqual(codes, ['BuildArgUnused']);
});

test('only stages that are needed are looked at', async () => {
  await using bench = await makeBench({ Dockerfile: 'FROM scratch AS a\nCMD a\nFROM scratch\nCOPY busybox /a\n' });
  assert.deepEqual(rulesIn(await bench.built()), []);
});

test('a file that the ignore file leaves out is told of, and why it is not there', async () => {
  await using bench = await makeBench({ Dockerfile: 'FROM scratch\nCOPY out /a\n', '.dockerignore': 'out\n', out: 'x' });
  const failed = await bench.run();
  assert.deepEqual(rulesIn(failed), ['CopyIgnoredFile:2']);
  assert.equal(failed.error?.code, 'COPY_SOURCE_MISSING');
});
