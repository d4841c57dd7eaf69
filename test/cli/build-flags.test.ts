import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BuildFlags, buildFlags, defaultBuildFlags, unavailableBuildFlags } from '../../src/cli/build-flags.ts';
import { parseFlags } from '../../src/cli/parse-flags.ts';
import { recordingCaller } from './caller.ts';

function parse(...args: readonly string[]): BuildFlags {
  const options = defaultBuildFlags();
  const syntax = { command: 'cooper build', flags: buildFlags, unavailable: unavailableBuildFlags, stopAtWord: false };
  parseFlags(args, syntax, options, recordingCaller({ environment: { FROM_ENV: 'e' } }));
  return options;
}

for (const { name, args, want } of [
  { name: 'tags add up', args: ['-t', 'a', '-t', 'b:1'], want: { tags: ['a', 'b:1'] } },
  {
    name: 'the file is as typed: what it is relative to depends on the context',
    args: ['-f', 'x/Dockerfile'],
    want: { file: 'x/Dockerfile' },
  },
  { name: 'the file may be standard input', args: ['-f', '-'], want: { file: '-' } },
  { name: 'the last target counts', args: ['--target', 'a', '--target=b'], want: { target: 'b' } },
  { name: 'build arguments', args: ['--build-arg', 'A=1=2', '--build-arg', 'B='], want: { buildArgs: { A: '1=2', B: '' } } },
  {
    name: 'a build argument without a value takes it from the environment, or is not there',
    args: ['--build-arg', 'FROM_ENV', '--build-arg', 'NOT_SET'],
    want: { buildArgs: { FROM_ENV: 'e' } },
  },
  { name: 'labels', args: ['--label', 'a=1', '--label', 'b'], want: { labels: { a: '1', b: '' } } },
  { name: 'one platform', args: ['--platform', 'linux/aarch64'], want: { platform: { os: 'linux', architecture: 'arm64' } } },
  { name: 'the network by its Docker name', args: ['--network=bridge'], want: { network: 'default' } },
  { name: 'switches', args: ['--no-cache', '--pull', '--push', '-q'], want: { noCache: true, pull: true, push: true, quiet: true } },
  { name: 'progress by its buildx name', args: ['--progress', 'rawjson'], want: { progress: 'json' } },
  { name: 'files to write', args: ['--iidfile=i', '--metadata-file', '/m'], want: { iidFile: '/home/user/i', metadataFile: '/m' } },
] as const) {
  test(`build flags: ${name}`, () => assert.deepEqual(parse(...args), { ...defaultBuildFlags(), ...want }));
}

test('build flags: an argument may be named __proto__', () => {
  const { buildArgs } = parse('--build-arg', '__proto__=x');
  assert.deepEqual(Object.entries(buildArgs), [['__proto__', 'x']]);
});

for (const { args, code } of [
  { args: ['-t', 'UPPER'], code: 'REFERENCE_INVALID' },
  { args: ['-t', `a@sha256:${'0'.repeat(64)}`], code: 'REFERENCE_INVALID' },
  { args: ['--target='], code: 'ARG_INVALID' },
  { args: ['--build-arg', '=x'], code: 'ARG_INVALID' },
  { args: ['--platform', 'linux/amd64,linux/arm64'], code: 'UNSUPPORTED' },
  { args: ['--platform', 'nonsense'], code: 'ARG_INVALID' },
  { args: ['--network', 'hots'], code: 'ARG_INVALID' },
  { args: ['--progress', 'tty'], code: 'UNSUPPORTED' },
  { args: ['--progress', 'plane'], code: 'ARG_INVALID' },
  ...unavailableBuildFlags.map(({ name }) => ({ args: [`--${name}=x`], code: 'UNKNOWN_OPTION' })),
]) {
  test(`build flags refuse: ${args.join(' ')}`, () => assert.throws(() => parse(...args), { name: 'BuildError', code }));
}
