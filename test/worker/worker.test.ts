import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Chain, SandboxParams } from '../../src/worker/protocol.ts';
import { Worker } from '../../src/worker/worker.ts';
import { gone, processes, processesWith } from '../support/processes.ts';
import { temporaryFolder } from '../support/store.ts';

test('hello says where temporary files go, and what the worker can do here', async () => {
  await using folder = await temporaryFolder();
  await using worker = await Worker.start({ root: join(folder.path, 'store') });
  assert.equal(worker.info.temporary, `tmp/${worker.info.lease}`);
  assert.equal(worker.info.mode, process.getuid?.() === 0 ? 'root' : worker.info.mode);
});

test('requests run side by side, and each gets its own answer', async () => {
  await using rig = await makeRig();
  const users = ['root', 'app', '77'];
  const found = await Promise.all(users.map((user) => rig.worker.call('tree.user', { chain: rig.chain, user })));
  assert.deepEqual(
    found.map(({ uid }) => uid),
    [0, 1234, 77],
  );
});

for (const { name, code, call } of [
  {
    name: 'a user that is not there',
    code: 'USER_NOT_FOUND',
    call: ({ worker, chain }: Rig) => worker.call('tree.user', { chain, user: 'nobody2' }),
  },
  {
    name: 'a source that is not there',
    code: 'COPY_SOURCE_MISSING',
    call: ({ worker }: Rig) => worker.call('tree.select', { selection: { ...selection, sources: ['/none'] } }),
  },
  {
    name: 'a handle that nobody opened',
    code: 'INTERNAL',
    call: ({ worker }: Rig) =>
      worker.call('tree.select', { selection: { ...selection, source: { kind: 'handle', handle: 'unknown', ignore: [] } } }),
  },
  { name: 'a method that it does not know', code: 'INTERNAL', call: ({ worker }: Rig) => worker.call('no.such' as 'doctor', {}) },
]) {
  test(`${name} is refused with ${code}, and the worker goes on`, async () => {
    await using rig = await makeRig();
    await assert.rejects(call(rig), { name: 'BuildError', code });
    assert.equal((await rig.worker.call('tree.user', { chain: rig.chain, user: 'app' })).uid, 1234);
  });
}

test('a cancelled call ends with the reason of its caller, when the program is gone', async () => {
  await using rig = await makeRig();
  const cancel = new AbortController();
  const reason = new Error('enough');
  let inside: ReturnType<typeof processesWith> = [];
  const running = rig.worker.call('sandbox.run', program(rig, 'echo begun; exec sleep 100000'), {
    signal: cancel.signal,
    onData: () => {
      inside = processesWith(mark);
      cancel.abort(reason);
    },
  });
  await assert.rejects(running, reason);
  assert.ok(inside.length > 0);
  await gone(inside);
  assert.equal((await rig.worker.call('tree.user', { chain: rig.chain, user: 'app' })).uid, 1234);
});

test('a call that was cancelled before it began is not sent', async () => {
  await using rig = await makeRig();
  await assert.rejects(rig.worker.call('doctor', {}, { signal: AbortSignal.abort(new Error('before')) }), /before/);
});

test('a reader that is slow slows the program down, and gets all of 50 MB', async () => {
  await using rig = await makeRig();
  const total = 50 * 1024 * 1024;
  let read = 0;
  let held = 0;
  let most = 0;
  const result = await rig.worker.call('sandbox.run', program(rig, `head -c ${total} /dev/zero`), {
    async onData(payload) {
      held += payload.length;
      most = Math.max(most, held);
      // Not a matter of time: everything else that is ready happens before this reader goes on.
      await new Promise(setImmediate);
      await new Promise(setImmediate);
      held -= payload.length;
      read += payload.length - 1;
    },
  });
  assert.equal(result.exitCode, 0);
  assert.equal(read, total);
  // 1 MiB of credit: the bytes that say which stream are counted in it too.
  assert.ok(most <= 1024 * 1024, `${most} bytes were under way`);
});

test('a reader that fails ends the program, and its error is the error of the call', async () => {
  await using rig = await makeRig();
  const failed = rig.worker.call('sandbox.run', program(rig, 'yes'), {
    onData: () => {
      throw new Error('the disk is full');
    },
  });
  await assert.rejects(failed, /the disk is full/);
  assert.equal((await rig.worker.call('tree.user', { chain: rig.chain, user: 'app' })).uid, 1234);
});

test('standard input is sent as the program reads it', async () => {
  await using rig = await makeRig();
  const output: Buffer[] = [];
  async function* input(): AsyncGenerator<Uint8Array> {
    for (let part = 0; part < 48; part++) yield Buffer.alloc(64 * 1024, part);
  }
  const { exitCode } = await rig.worker.call(
    'sandbox.run',
    { ...program(rig, 'sha256sum'), stdin: true },
    { input: input(), onData: (payload) => void output.push(payload.subarray(1)) },
  );
  const expected = createHash('sha256');
  for await (const part of input()) expected.update(part);
  assert.equal(exitCode, 0);
  assert.equal(Buffer.concat(output).toString(), `${expected.digest('hex')}  -\n`);
});

test('a standard input that fails ends the program, and its error is the error of the call', async () => {
  await using rig = await makeRig();
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  async function* input(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('first');
    await begun;
    throw new Error('no such input');
  }
  const failed = rig.worker.call('sandbox.run', { ...program(rig, 'cat'), stdin: true }, { input: input(), onData: () => resolve() });
  await assert.rejects(failed, /no such input/);
  await gone(processesWith(mark));
});

test('a worker that is killed fails all who wait for it, and all who call it later', async () => {
  await using rig = await makeRig();
  const running = [1, 2].map(() => rig.worker.call('sandbox.run', program(rig, 'sleep 100000')));
  running.push(
    rig.worker.call('sandbox.run', program(rig, 'echo begun; exec sleep 100000'), {
      onData: () => void process.kill(workerPid(), 'SIGKILL'),
    }),
  );
  for (const each of await Promise.allSettled(running)) {
    assert.equal(each.status, 'rejected');
    assert.equal(each.reason.code, 'WORKER_FAILED');
    assert.match(each.reason.message, /SIGKILL/);
  }
  await assert.rejects(rig.worker.call('doctor', {}), { code: 'WORKER_FAILED' });
});

test('a worker that cannot be started is told as such', async () => {
  await using folder = await temporaryFolder();
  await assert.rejects(Worker.start({ root: folder.path, binary: '/does/not/exist' }), { code: 'WORKER_FAILED', message: /ENOENT/ });
});

test('another program in its place is told as such', async () => {
  await using folder = await temporaryFolder();
  await assert.rejects(Worker.start({ root: folder.path, binary: '/bin/false' }), { code: 'WORKER_FAILED' });
  await assert.rejects(Worker.start({ root: folder.path, binary: '/bin/cat' }), { code: 'WORKER_FAILED', message: /nonsense/ });
});

test('a store in the way of a file is told as such', async () => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, 'file'), '');
  await assert.rejects(Worker.start({ root: join(folder.path, 'file') }), { code: 'STORE_FAILED' });
});

/** In the environment of our programs, and of nothing else on this machine. */
const mark = `MARK=${randomUUID()}`;

interface Rig extends AsyncDisposable {
  readonly worker: Worker;
  /** busybox with its programs, and a user `app`. */
  readonly chain: Chain;
}

const selection = {
  source: { kind: 'handle', handle: 'context', ignore: [] },
  sources: ['/'],
  exclude: [],
  parents: false,
  unpack: false,
} as const;

async function makeRig(): Promise<Rig> {
  const folder = await temporaryFolder();
  const context = join(folder.path, 'context');
  await mkdir(join(context, 'etc'), { recursive: true });
  await writeFile(join(context, 'etc/passwd'), 'root:x:0:0::/:\napp:x:1234:1234::/:\n');
  const worker = await Worker.start({ root: join(folder.path, 'store') });
  await worker.call('handle.open', { handle: 'context', path: context, access: 'read' });
  const copy = { attributes: {}, link: false, form: 'none', snapshot: true } as const;
  const etc = await worker.call('file.copy', { ...copy, parent: [], selections: [selection], destination: '/' });
  await worker.call('handle.open', { handle: 'host', path: '/bin', access: 'read' });
  const busybox = await worker.call('file.copy', {
    ...copy,
    parent: [etc.diffID],
    selections: [{ ...selection, source: { kind: 'handle', handle: 'host', ignore: [] }, sources: ['busybox'] }],
    destination: '/bin/busybox',
  });
  return {
    worker,
    chain: [etc.diffID, busybox.diffID],
    async [Symbol.asyncDispose]() {
      await worker[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Our only child of that name: the tests of this file run one after the other. */
function workerPid(): number {
  const found = processes().find(({ name, parent }) => parent === process.pid && name === 'cooper-worker');
  assert.ok(found, 'there is a worker');
  return found.pid;
}

const program = ({ chain }: Rig, script: string): SandboxParams => ({
  root: chain,
  argv: ['/bin/busybox', 'sh', '-c', script],
  env: ['PATH=/bin', mark],
  cwd: '/',
  user: '',
  mounts: [],
  network: 'none',
  hostname: 'test',
  commit: false,
  stdin: false,
});
