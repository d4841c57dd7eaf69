import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCli } from '../caller.ts';

// What comes before anything is deleted. Real stores are in test/e2e.
const question = 'This deletes all cache mounts, and all fetched files and layers, that no image with a name needs. Go on? [y/N] ';
const noPlace = 'error: no place for the store is known: HOME is not set [ARG_INVALID]\n  hint: use --root DIR\n';

for (const { name, stdin, status, said } of [
  { name: 'no', stdin: 'n\n', status: 1, said: 'nothing was deleted\n' },
  { name: 'anything else', stdin: 'yellow\n', status: 1, said: 'nothing was deleted\n' },
  { name: 'an empty line', stdin: '\n', status: 1, said: 'nothing was deleted\n' },
  { name: 'nothing', stdin: '', status: 1, said: '\nnobody answers, so nothing was deleted; "--force" does not ask\n' },
  { name: 'yes', stdin: 'Yes\n', status: 2, said: noPlace },
  { name: 'yes, without an end of the line', stdin: 'y', status: 2, said: noPlace },
] as const) {
  test(`prune asks, and takes for an answer: ${name}`, async () => {
    // There is no store: whoever agrees is told so.
    assert.deepEqual(await runCli(['prune'], { stdin, environment: {} }), { status, stdout: '', stderr: question + said });
  });
}

for (const { flags, what } of [
  { flags: ['--filter', 'until=24h', '--all'], what: 'everything that fits the filters and that no image with a name needs' },
  {
    flags: ['--all', '--max-used-space', '10g'],
    what: 'all cache mounts, and all fetched files and layers, that no image with a name needs, and what only makes builds faster, as far as the sizes ask for it',
  },
]) {
  test(`prune says what it would delete with ${flags.join(' ')}`, async () => {
    const { stderr } = await runCli(['prune', ...flags], { stdin: 'n\n', environment: {} });
    assert.equal(stderr, `This deletes ${what}. Go on? [y/N] nothing was deleted\n`);
  });
}
