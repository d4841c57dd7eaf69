// Questions about a Dockerfile, asked on the command line.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { temporaryFolder } from '../../support/store.ts';
import { type Outcome, runCli } from '../caller.ts';

const lintedBadly = 'FROM scratch AS one\nMAINTAINER me\nFROM scratch AS two\nARG A=1\n';

async function ask(dockerfile: string, args: readonly string[]): Promise<Outcome> {
  await using folder = await temporaryFolder();
  await writeFile(`${folder.path}/Dockerfile`, dockerfile);
  return await runCli(['build', '--root', `${folder.path}/store`, ...args, '.'], { directory: folder.path });
}

for (const { name, dockerfile = lintedBadly, args, status, stdout, stderr = /^$/ } of [
  {
    name: 'a check that finds something',
    args: ['--check'],
    status: 1,
    stdout: /^Check complete, 1 warning has been found!\n\nWARNING: MaintainerDep/,
  },
  {
    name: 'a check of a target that needs nothing of it',
    dockerfile: 'FROM scratch AS one\nCMD a\nFROM scratch AS two\n',
    args: ['--check', '--target', 'two'],
    status: 0,
    stdout: /^Check complete, no warnings found\.\n$/,
  },
  {
    name: 'a check whose status does not matter',
    args: ['--call=check,ignorestatus=true'],
    status: 0,
    stdout: /^Check complete, 1 warning /,
  },
  {
    name: 'a check without its rule',
    args: ['--check', '--build-arg', 'BUILDKIT_DOCKERFILE_CHECK=skip=all'],
    status: 0,
    stdout: /no warnings/,
  },
  {
    name: 'a check that must find nothing',
    args: ['--check', '--build-arg', 'BUILDKIT_DOCKERFILE_CHECK=error=true'],
    status: 1,
    stdout: /^Check complete, 1 warning /,
    stderr: /^error: lint violation found for rules: MaintainerDeprecated \[LINT_FAILED\]\n/,
  },
  {
    name: 'a check of a file with an error',
    dockerfile: 'FROM scratch as a\nNOPE\n',
    args: ['--check'],
    status: 1,
    stdout: /^Check complete, 1 warning .*FromAsCasing/s,
    stderr: /^Dockerfile:2:1: error: .*NOPE.*\n/,
  },
  {
    name: 'a check that is taken back',
    args: ['--check', '--call=targets'],
    status: 0,
    stdout: /^TARGET +DESCRIPTION\none +\ntwo \(default\) \n$/,
  },
  {
    name: 'an outline',
    args: ['--call', 'outline'],
    status: 0,
    stdout: /^TARGET: two\n\nBUILD ARG {3}VALUE {3}DESCRIPTION\nA {11}1 {7}\n\n$/,
  },
  {
    name: 'an outline without a target',
    args: ['--call=outline', '--target=three'],
    status: 1,
    stdout: /^$/,
    stderr: /no stage is named "three"/,
  },
]) {
  test(`call: ${name}`, async () => {
    const outcome = await ask(dockerfile, args);
    assert.equal(outcome.status, status, outcome.stderr);
    assert.match(outcome.stdout, stdout);
    assert.match(outcome.stderr, stderr);
  });
}

test('call: JSON in the shape of BuildKit, what ends a script escaped', async () => {
  const { status, stdout } = await ask('FROM scratch AS a\nCMD </script>\n', ['--call=check,format=json']);
  assert.equal(status, 1);
  const { warnings, sources } = JSON.parse(stdout);
  assert.equal(warnings.length, 1);
  assert.deepEqual(Object.keys(warnings[0]), ['ruleName', 'description', 'url', 'detail', 'location']);
  assert.deepEqual(warnings[0].location, { ranges: [{ start: { line: 2 }, end: { line: 2 } }] });
  assert.equal(Buffer.from(sources[0].data, 'base64').toString(), 'FROM scratch AS a\nCMD </script>\n');
  assert.ok(!stdout.includes('<'));
});

test('call: a base that cannot be reached is said, and keeps nobody from an answer', async () => {
  const dockerfile = 'FROM 127.0.0.1:1/nothing/there:1\nENV A=$SET_BY_THE_BASE\nMAINTAINER me\n';
  const { status, stdout, stderr } = await ask(dockerfile, ['--check']);
  assert.equal(status, 1);
  assert.match(stdout, /^Check complete, 1 warning has been found!\n\nWARNING: MaintainerDeprecated/);
  assert.match(stderr, /^warning: "127\.0\.0\.1:1\/nothing\/there:1" could not be looked at/);
});
