import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Flag, sets } from '../../src/cli/flag.ts';
import { parseFlags } from '../../src/cli/parse-flags.ts';
import { recordingCaller } from './caller.ts';

interface Options {
  tags: string[];
  quiet: boolean;
  noCache: boolean;
}

const flags: readonly Flag<Options>[] = [
  { name: 'tag', short: 't', value: 'NAME', help: 'a name', set: ({ tags }, text) => void tags.push(text) },
  { name: 'quiet', short: 'q', help: 'say nothing', set: sets('quiet') },
  { name: 'no-cache', short: 'n', help: 'run all', set: sets('noCache') },
];
const unavailable = [
  { name: 'ssh', hint: 'use --secret' },
  { name: 'interactive', short: 'i', hint: 'write to a file', code: 'UNSUPPORTED' },
] as const;

function parse(args: readonly string[], stopAtWord = false): { words: string[]; options: Options } {
  const options: Options = { tags: [], quiet: false, noCache: false };
  return { words: parseFlags(args, { command: 'cooper x', flags, unavailable, stopAtWord }, options, recordingCaller()), options };
}

for (const { name, args, options = {}, words = [], stop = false } of [
  { name: 'nothing', args: [] },
  { name: 'a value after a space', args: ['--tag', 'a'], options: { tags: ['a'] } },
  { name: 'a value after =', args: ['--tag=a=b'], options: { tags: ['a=b'] } },
  { name: 'an empty value', args: ['--tag='], options: { tags: [''] } },
  { name: 'a short name', args: ['-t', 'a'], options: { tags: ['a'] } },
  { name: 'a value glued to the short name', args: ['-ta'], options: { tags: ['a'] } },
  { name: 'a value glued to the short name by =', args: ['-t=a=b'], options: { tags: ['a=b'] } },
  { name: 'several values, in order', args: ['-t', 'a', '--tag', 'b'], options: { tags: ['a', 'b'] } },
  { name: 'a value that begins with a dash', args: ['-t', '-q', '--tag', '--'], options: { tags: ['-q', '--'] } },
  { name: 'a switch', args: ['--quiet'], options: { quiet: true } },
  { name: 'a switch that is said to be off', args: ['--quiet=false'], options: { quiet: false } },
  { name: 'a switch negated', args: ['--no-quiet'], options: { quiet: false } },
  { name: 'a switch whose own name begins with no-', args: ['--no-cache'], options: { noCache: true } },
  { name: 'short switches in one word', args: ['-qn'], options: { quiet: true, noCache: true } },
  { name: 'short switches before a value', args: ['-qt', 'a'], options: { quiet: true, tags: ['a'] } },
  { name: 'options after words', args: ['.', '-q'], words: ['.'], options: { quiet: true } },
  { name: 'nothing after -- is an option', args: ['--', '-q', '--tag'], words: ['-q', '--tag'] },
  { name: 'a dash alone is a word', args: ['-'], words: ['-'] },
  {
    name: 'all after the first word is left alone',
    args: ['-q', 'sh', '-c', '--', '-x'],
    words: ['sh', '-c', '--', '-x'],
    options: { quiet: true },
    stop: true,
  },
  { name: '-- before the first word', args: ['-q', '--', '-sh', '-c'], words: ['-sh', '-c'], options: { quiet: true }, stop: true },
] as const) {
  test(`parseFlags: ${name}`, () => {
    assert.deepEqual(parse(args, stop), { words, options: { tags: [], quiet: false, noCache: false, ...options } });
  });
}

for (const { name, args, code, message, hint } of [
  {
    name: 'unknown',
    args: ['--wibble'],
    code: 'UNKNOWN_OPTION',
    message: '"cooper x" has no option "--wibble"',
    hint: '"cooper x --help" lists the options',
  },
  {
    name: 'unknown, but near',
    args: ['--quite'],
    code: 'UNKNOWN_OPTION',
    message: '"cooper x" has no option "--quite"',
    hint: 'did you mean "--quiet"?',
  },
  {
    name: 'unknown short',
    args: ['-qz'],
    code: 'UNKNOWN_OPTION',
    message: '"cooper x" has no option "-z"',
    hint: '"cooper x --help" lists the options',
  },
  {
    name: 'not there yet',
    args: ['--ssh', 'default'],
    code: 'UNKNOWN_OPTION',
    message: '"cooper x" does not have "--ssh" yet',
    hint: 'use --secret',
  },
  {
    name: 'unsupported in a group',
    args: ['-qi'],
    code: 'UNSUPPORTED',
    message: '"cooper x" does not have "-i" yet',
    hint: 'write to a file',
  },
  {
    name: 'a name of Object.prototype',
    args: ['--constructor'],
    code: 'UNKNOWN_OPTION',
    message: '"cooper x" has no option "--constructor"',
    hint: '"cooper x --help" lists the options',
  },
  {
    name: '__proto__',
    args: ['--__proto__=x'],
    code: 'UNKNOWN_OPTION',
    message: '"cooper x" has no option "--__proto__"',
    hint: '"cooper x --help" lists the options',
  },
  { name: 'no value', args: ['-q', '--tag'], code: 'ARG_INVALID', message: '"--tag" needs a value: --tag NAME', hint: undefined },
  { name: 'no value for a short name', args: ['-qt'], code: 'ARG_INVALID', message: '"-t" needs a value: -t NAME', hint: undefined },
  {
    name: 'a value for a switch',
    args: ['--quiet=maybe'],
    code: 'ARG_INVALID',
    message: '"--quiet" takes "true" or "false", not "maybe"',
    hint: undefined,
  },
  {
    name: 'a value option negated',
    args: ['--no-tag'],
    code: 'UNKNOWN_OPTION',
    message: '"cooper x" has no option "--no-tag"',
    hint: '"cooper x --help" lists the options',
  },
] as const) {
  test(`parseFlags refuses: ${name}`, () => assert.throws(() => parse(args), { name: 'BuildError', code, message, hint }));
}
