import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { type ConnectAgent, openAgents } from '../../src/ssh/sources.ts';
import { withCode } from '../support/errors.ts';

// OpenSSH's own clients ask, its own ssh-keygen checks what is signed.

const exec = promisify(execFile);
let folder: string;
before(async () => (folder = await mkdtemp(join(tmpdir(), 'cooper-agent-'))));
after(() => rm(folder, { recursive: true, force: true }));

async function makeKey(name: string, ...words: readonly string[]): Promise<string> {
  const file = join(folder, name);
  await exec('ssh-keygen', ['-q', '-N', '', '-C', 'somebody@somewhere', ...words, '-f', file]);
  return file;
}

/** Puts an agent at a socket, for as long as the value lives. */
async function serve(agent: ConnectAgent, name: string): Promise<AsyncDisposable & { readonly env: NodeJS.ProcessEnv }> {
  const socket = join(folder, name);
  const open = new Set<Duplex>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const far = agent();
    for (const each of [client, far]) {
      open.add(each);
      each.on('error', () => client.destroy());
    }
    client.pipe(far).pipe(client);
  }).listen(socket);
  await once(server, 'listening');
  return {
    env: { ...process.env, SSH_AUTH_SOCK: socket },
    async [Symbol.asyncDispose]() {
      for (const each of open) each.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function agentOf(...paths: readonly string[]): Promise<ConnectAgent> {
  const agent = (await openAgents([{ id: 'default', paths, raw: false }])).get('default');
  assert.ok(agent);
  return agent;
}

async function signsFor(key: string, env: NodeJS.ProcessEnv): Promise<void> {
  const data = `${key}.data`;
  const rule = `${key}.rule`;
  // Where one lies already, ssh-keygen asks.
  await rm(`${data}.sig`, { force: true });
  await writeFile(data, 'what is signed');
  await writeFile(rule, `me ${await readFile(`${key}.pub`, 'utf8')}`);
  await exec('ssh-keygen', ['-q', '-Y', 'sign', '-n', 'file', '-f', `${key}.pub`, data], { env });
  const verify = `ssh-keygen -Y verify -f "$1" -I me -n file -s "$2.sig" < "$2"`;
  await exec('sh', ['-c', verify, 'sh', rule, data]);
}

for (const { name, words } of [
  { name: 'ed25519', words: ['-t', 'ed25519'] },
  { name: 'rsa', words: ['-t', 'rsa', '-b', '2048'] },
  { name: 'rsa-pem', words: ['-t', 'rsa', '-b', '2048', '-m', 'PEM'] },
  { name: 'rsa-pkcs8', words: ['-t', 'rsa', '-b', '2048', '-m', 'PKCS8'] },
  { name: 'ecdsa-256', words: ['-t', 'ecdsa', '-b', '256'] },
  { name: 'ecdsa-384-pem', words: ['-t', 'ecdsa', '-b', '384', '-m', 'PEM'] },
  { name: 'ecdsa-521', words: ['-t', 'ecdsa', '-b', '521'] },
]) {
  test(`a key of the form ${name} signs`, async () => {
    const key = await makeKey(name, ...words);
    await using agent = await serve(await agentOf(key), `${name}.socket`);
    await signsFor(key, agent.env);
  });
}

test('keys are listed in the order in which they were given, without their comments', async () => {
  const keys = [await makeKey('first', '-t', 'ed25519'), await makeKey('second', '-t', 'ed25519')];
  await using agent = await serve(await agentOf(...keys), 'two.socket');
  const { stdout } = await exec('ssh-add', ['-L'], { env: agent.env });
  const bare = await Promise.all(keys.map(async (key) => (await readFile(`${key}.pub`, 'utf8')).split(' ').slice(0, 2).join(' ')));
  assert.deepEqual(stdout.trim().split(/ *\n/), bare);
});

test('an agent of ours, and one behind a socket, only list and sign', async () => {
  const key = await makeKey('guarded', '-t', 'ed25519');
  const other = await makeKey('other', '-t', 'ed25519');
  await using own = await serve(await agentOf(key), 'own.socket');
  await using guarded = await serve(await agentOf(own.env.SSH_AUTH_SOCK ?? ''), 'guarded.socket');
  for (const { env } of [own, guarded]) {
    for (const words of [['-D'], ['-d', `${key}.pub`], [other]]) {
      await assert.rejects(exec('ssh-add', words, { env }), words.join(' '));
    }
    await signsFor(key, env);
  }
});

test('a real agent behind a socket is asked, and not changed; a raw one is', async () => {
  const key = await makeKey('real', '-t', 'ed25519');
  const socket = join(folder, 'real.socket');
  const { stdout } = await exec('ssh-agent', ['-s', '-a', socket]);
  const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(stdout)?.[1]);
  try {
    await exec('ssh-add', ['-q', key], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
    await using guarded = await serve(await agentOf(socket), 'real-guarded.socket');
    await signsFor(key, guarded.env);
    await assert.rejects(exec('ssh-add', ['-D'], { env: guarded.env }));
    const raw = (await openAgents([{ id: 'x', paths: [socket], raw: true }])).get('x');
    assert.ok(raw);
    await using open = await serve(raw, 'real-raw.socket');
    await signsFor(key, open.env);
    await exec('ssh-add', ['-D'], { env: open.env });
    const { stdout: left } = await exec('sh', ['-c', 'ssh-add -l || true'], { env: guarded.env });
    assert.match(left, /no identities/);
  } finally {
    process.kill(pid);
  }
});

test('requests that make no sense are refused, those that are too long end the connection', async () => {
  const key = await makeKey('hostile', '-t', 'ed25519');
  await using own = await serve(await agentOf(key), 'hostile.socket');
  await using guarded = await serve(await agentOf(own.env.SSH_AUTH_SOCK ?? ''), 'hostile-guarded.socket');
  for (const { env } of [own, guarded])
    for (const { request, want } of [
      { request: '000000010d', want: '0000000105' },
      { request: '000000050dffffffff', want: '0000000105' },
      // Lock, unlock, an extension.
      { request: '000000051600000000', want: '0000000105' },
      { request: '000000051700000000', want: '0000000105' },
      { request: '000000051b00000000', want: '0000000105' },
      { request: '00000001ff', want: '0000000105' },
      { request: '00000000', want: '' },
      { request: 'ffffffff', want: '' },
      { request: '000400010b', want: '' },
    ]) {
      const client = connect(env.SSH_AUTH_SOCK ?? '');
      client.end(Buffer.from(request, 'hex'));
      const answer = Buffer.concat(await client.toArray());
      assert.equal(answer.toString('hex'), want, request);
    }
});

for (const { name, option, message } of [
  { name: 'nothing there', option: { paths: ['/nowhere/at/all'] }, message: /cannot be used: ENOENT/ },
  { name: 'no key', option: { paths: ['/etc/passwd'] }, message: /cannot be read as a private key/ },
  { name: 'raw, and no socket', option: { paths: ['/etc/passwd'], raw: true }, message: /is no socket/ },
]) {
  test(`--ssh with ${name} is an error`, () =>
    assert.rejects(openAgents([{ id: 'a', raw: false, ...option }]), withCode('SSH_MISSING', message)));
}

test('a key with a passphrase is an error that says what to do', async () => {
  for (const form of [[], ['-m', 'PEM'], ['-m', 'PKCS8']]) {
    const file = join(folder, `locked${form[1] ?? ''}`);
    await exec('ssh-keygen', ['-q', '-t', 'rsa', '-b', '2048', '-N', 'secret', ...form, '-f', file]);
    await assert.rejects(openAgents([{ id: 'a', paths: [file], raw: false }]), withCode('SSH_MISSING', /has a passphrase/));
  }
});
