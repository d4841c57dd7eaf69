import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command in a process of its own. */
function start(args: readonly string[], options: { stdout?: 'pipe' | number; env?: Record<string, string> } = {}): ChildProcess {
  const env = { PATH: process.env.PATH, HOME: '/nowhere', ...options.env };
  return spawn(process.execPath, [main, ...args], { stdio: ['pipe', options.stdout ?? 'pipe', 'pipe'], env });
}

async function ended(child: ChildProcess): Promise<Ended> {
  const texts = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk) => {
    texts.stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    texts.stderr += chunk;
  });
  const [status] = await once(child, 'close');
  return { status, ...texts };
}

/** A command that waits for its standard input, which has been seen to do so. */
async function startWaiting(): Promise<ChildProcess> {
  const child = start(['ast', '-']);
  // More than the pipe holds: it is gone when the command reads.
  const text = `FROM scratch\n${`# ${'x'.repeat(98)}\n`.repeat(20_000)}`;
  await new Promise((resolve) => child.stdin?.write(text, resolve));
  return child;
}

test('main: result to stdout, errors to stderr', async () => {
  assert.match((await ended(start(['version']))).stdout, /^cooper \d+\.\d+\.\d+\n$/);
  const { status, stdout, stderr } = await ended(start(['wibble']));
  assert.deepEqual({ status, stdout }, { status: 2, stdout: '' });
  assert.match(stderr, /^error: cooper has no command "wibble" \[UNKNOWN_COMMAND\]\n/);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`main: ${signal} ends what waits, with status 130`, async () => {
    const child = await startWaiting();
    child.kill(signal);
    assert.deepEqual(await ended(child), { status: 130, stdout: '', stderr: 'error: interrupted [CANCELLED]\n' });
  });
}

test('main: nobody reads the result', async () => {
  const child = start(['help']);
  child.stdout?.destroy();
  assert.deepEqual(await ended(child), { status: 0, stdout: '', stderr: '' });
});

test('main: the result cannot be written', async () => {
  const { status, stderr } = await ended(start(['help'], { stdout: openSync('/dev/full', 'w') }));
  assert.equal(status, 1);
  assert.match(stderr, /^error: standard output cannot be written: .*ENOSPC.* \[EXPORT_FAILED\]\n/);
});

test('main: messages go to nobody', async () => {
  const child = start(['wibble']);
  child.stderr?.destroy();
  assert.equal((await ended(child)).status, 2);
});

test('main: COOPER_ROOT names the store', async () => {
  const { status, stdout } = await ended(start(['images', '-q'], { env: { COOPER_ROOT: '/nowhere/store' } }));
  assert.deepEqual({ status, stdout }, { status: 0, stdout: '' });
});
