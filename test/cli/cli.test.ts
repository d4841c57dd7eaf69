import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { commands, unavailableCommands } from '../../src/cli/commands.ts';
import { recordingCaller, runCli } from './caller.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

for (const args of [['version'], ['--version'], ['-v'], ['--root', '/x', 'version']]) {
  test(`cli: ${args.join(' ')}`, async () => {
    assert.deepEqual(await runCli(args), { status: 0, stdout: `cooper ${version}\n`, stderr: '' });
  });
}

for (const { args, stderr } of [
  { args: ['verison'], stderr: 'error: cooper has no command "verison" [UNKNOWN_COMMAND]\n  hint: did you mean "cooper version"?\n' },
  { args: ['wibble'], stderr: 'error: cooper has no command "wibble" [UNKNOWN_COMMAND]\n  hint: "cooper help" lists the commands\n' },
  { args: ['toString'], stderr: 'error: cooper has no command "toString" [UNKNOWN_COMMAND]\n  hint: "cooper help" lists the commands\n' },
  {
    args: ['help', 'wibble'],
    stderr: 'error: cooper has no command "wibble" [UNKNOWN_COMMAND]\n  hint: "cooper help" lists the commands\n',
  },
  { args: ['buildx'], stderr: 'error: cooper does not have "buildx" yet [UNKNOWN_COMMAND]\n  hint: type "cooper build"\n' },
  { args: ['--rot'], stderr: 'error: "cooper" has no option "--rot" [UNKNOWN_OPTION]\n  hint: did you mean "--root"?\n' },
  {
    args: ['version', '--rot'],
    stderr: 'error: "cooper version" has no option "--rot" [UNKNOWN_OPTION]\n  hint: did you mean "--root"?\n',
  },
  {
    args: ['version', 'x'],
    stderr: 'error: "cooper version" does not know what to do with "x" [ARG_INVALID]\n  hint: usage: cooper version [OPTIONS]\n',
  },
]) {
  test(`cli refuses: ${args.join(' ')}`, async () => assert.deepEqual(await runCli(args), { status: 2, stdout: '', stderr }));
}

test('cli: without a command it shows the commands, as an error', async () => {
  const { status, stdout, stderr } = await runCli([]);
  assert.equal(status, 2);
  assert.equal(stdout, '');
  assert.match(stderr, /^usage: cooper COMMAND/);
});

for (const args of [['help'], ['--help'], ['-h']]) {
  test(`cli: ${args.join(' ')} lists every command`, async () => {
    const { status, stdout, stderr } = await runCli(args);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    for (const name of Object.keys(commands)) assert.match(stdout, new RegExp(`^ {2}${name} `, 'm'));
  });
}

for (const name of Object.keys(commands)) {
  test(`cli: the help of ${name} is the same however it is asked for, and fits the width`, async () => {
    const { stdout } = await runCli(['help', name]);
    assert.match(stdout, new RegExp(`^usage: cooper ${name} \\[OPTIONS\\]`));
    for (const args of [
      [name, '--help'],
      [name, '-h'],
      ['--help', name],
    ]) {
      assert.deepEqual(await runCli(args), { status: 0, stdout, stderr: '' });
    }
    for (const line of stdout.split('\n')) assert.ok(line.length <= 100, line);
  });
}

for (const { name, columns, most } of [
  { name: 'a narrow one', columns: 57, most: 57 },
  { name: 'a usual one', columns: 80, most: 80 },
  { name: 'one that is too narrow for the longest options', columns: 10, most: 50 },
  { name: 'a wide one, where lines stay short enough to be read', columns: 300, most: 100 },
]) {
  test(`cli: help fits the terminal, ${name}`, async () => {
    const size = () => ({ rows: 24, columns });
    const terminal = { ...recordingCaller().terminal, size };
    for (const args of [['help'], ['build', '--help'], ['help', 'run']]) {
      const { stdout } = await runCli(args, { terminal, resultIsTerminal: true });
      const widest = stdout
        .replace(/^usage: .*/gm, '')
        .split('\n')
        .reduce((longest, line) => (line.length > longest.length ? line : longest));
      assert.ok(widest.length <= most && (args[0] === 'help' || widest.length > most - 12), `${widest.length}: ${widest}`);
    }
  });
}

test('cli: no command is both there and not there', () => {
  assert.deepEqual(
    Object.keys(unavailableCommands).filter((name) => Object.hasOwn(commands, name)),
    [],
  );
});
