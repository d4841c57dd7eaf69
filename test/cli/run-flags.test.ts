import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFlags } from '../../src/cli/parse-flags.ts';
import { defaultRunFlags, type RunFlags, runFlags, unavailableRunFlags } from '../../src/cli/run-flags.ts';
import { recordingCaller } from './caller.ts';

function parse(...args: readonly string[]): { options: RunFlags; words: string[] } {
  const options = defaultRunFlags();
  const syntax = { command: 'cooper run', flags: runFlags, unavailable: unavailableRunFlags, stopAtWord: true };
  return { options, words: parseFlags(args, syntax, options, recordingCaller({ environment: { FROM_ENV: 'e' } })) };
}

for (const { name, args, want } of [
  { name: 'variables', args: ['-e', 'A=1', '-eB=', '--env', 'FROM_ENV', '-e', 'NOT_SET'], want: { env: ['A=1', 'B=', 'FROM_ENV=e'] } },
  { name: 'volumes', args: ['-v', './x:/y:ro'], want: { volumes: [{ host: '/home/user/x', target: '/y', readonly: true }] } },
  {
    name: 'ports',
    args: ['-p', '127.0.0.1:8080:80'],
    want: { ports: [{ hostIP: '127.0.0.1', hostPort: 8080, port: 80, protocol: 'tcp' }] },
  },
  { name: 'place and person', args: ['-w', '/srv', '-u', 'www:www'], want: { workdir: '/srv', user: 'www:www' } },
  { name: 'an empty entrypoint takes that of the image away', args: ['--entrypoint='], want: { entrypoint: '' } },
  { name: 'a terminal and input', args: ['-it'], want: { interactive: true, tty: true } },
  { name: 'network, name, --rm', args: ['--network', 'none', '--name', 'web-1', '--rm'], want: { network: 'none', hostname: 'web-1' } },
] as const) {
  test(`run flags: ${name}`, () => {
    assert.deepEqual(parse(...args, 'image', '-x'), { options: { ...defaultRunFlags(), ...want }, words: ['image', '-x'] });
  });
}

for (const { args, code } of [
  { args: ['-w', 'srv'], code: 'ARG_INVALID' },
  { args: ['-u', ''], code: 'ARG_INVALID' },
  { args: ['-e', '=x'], code: 'ARG_INVALID' },
  { args: ['--name', '-x'], code: 'ARG_INVALID' },
  { args: ['--name', 'x'.repeat(64)], code: 'ARG_INVALID' },
  { args: ['--network', 'container:x'], code: 'ARG_INVALID' },
  ...unavailableRunFlags.map(({ name, code = 'UNKNOWN_OPTION' }) => ({ args: [`--${name}`], code })),
]) {
  test(`run flags refuse: ${args.join(' ')}`, () => assert.throws(() => parse(...args, 'image'), { name: 'BuildError', code }));
}
