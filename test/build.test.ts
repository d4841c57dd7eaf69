import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { build } from '../src/index.ts';
import { digestOf } from '../src/oci/digest.ts';
import { mountsBelow } from './support/intact.ts';
import { busyboxStage, makeBench } from './support/library.ts';
import { tool } from './support/tools.ts';
import { assertValid } from './support/valid.ts';

const lineOf = (text: string, line: string): number => text.split('\n').indexOf(line) + 1;

test('the events of a build come in order, and end with its digest', async () => {
  await using bench = await makeBench({ Dockerfile: `${busyboxStage}RUN echo hello; echo world >&2\n` });
  const { events, result, output } = await bench.built({ tags: ['events'] });
  assert.equal(events[0]?.type, 'build.started');
  assert.equal(events.filter(({ type }) => type === 'plan').length, 1);
  assert.deepEqual(output.split('\n').toSorted(), ['', 'hello', 'world']);
  const last = events.at(-1);
  assert.deepEqual(last, { ...last, type: 'build.completed', digest: result.digest, tags: ['docker.io/library/events:latest'] });
  const planned = events.flatMap((event) => (event.type === 'plan' ? event.vertices.map(({ vertex }) => vertex) : []));
  const started = events.flatMap((event) => (event.type === 'vertex.started' ? [event.vertex] : []));
  const completed = events.flatMap((event) => (event.type === 'vertex.completed' ? [event.vertex] : []));
  assert.deepEqual(started.toSorted(), planned.toSorted(), 'each vertex starts once');
  assert.deepEqual(completed.toSorted(), planned.toSorted(), 'and is completed once');
  await assertValid(bench.root, 'events');
});

test('events that are read after the end are all there', async () => {
  await using bench = await makeBench({ Dockerfile: `${busyboxStage}RUN echo hello\n` });
  const late = build({ context: bench.context, root: bench.root });
  await late.result;
  const types: string[] = [];
  for await (const { type } of late) types.push(type);
  assert.deepEqual([types[0], types.at(-1)], ['build.started', 'build.completed']);
});

test('stages that do not need each other run at the same time', async () => {
  // Each waits for the other through a shared mount: one after the other they would wait for ever.
  const meet = (own: string, other: string) =>
    `RUN --mount=type=cache,id=meet,target=/meet touch /meet/${own}; until [ -e /meet/${other} ]; do usleep 1000; done; echo ${own} >/${own}\n`;
  const stages = `FROM base AS left\n${meet('left', 'right')}FROM base AS right\n${meet('right', 'left')}`;
  await using bench = await makeBench({
    Dockerfile: `${busyboxStage}${stages}FROM base\nCOPY --from=left /left /\nCOPY --from=right /right /\nRUN cat /left /right\n`,
  });
  assert.equal((await bench.built()).output, 'left\nright\n');
});

test('--chown takes names and numbers, of the stage that is copied to', async () => {
  const copies = ['COPY --chown=app file /a', 'COPY --chown=app:crew file /b', 'COPY --chown=7:8 file /c', 'COPY file /d'];
  await using bench = await makeBench({ Dockerfile: `${busyboxStage}${copies.join('\n')}\nRUN stat -c %u:%g /a /b /c /d\n`, file: 'x' });
  // Source: BuildKit, a user without a group is given the group of the same number as the user's primary one in /etc/passwd.
  assert.equal((await bench.built()).output, '1234:2345\n1234:3456\n7:8\n0:0\n');
});

test('a secret is in no blob, no record and no event, even if the program prints it', async () => {
  const value = 'correct horse battery staple';
  const mounts = '--mount=type=secret,id=word --mount=type=secret,id=word,env=WORD';
  await using bench = await makeBench({
    Dockerfile: `${busyboxStage}RUN ${mounts} test "$(cat /run/secrets/word)" = "$WORD" && test \${#WORD} = ${value.length} && echo it is there\n`,
  });
  const { events, output } = await bench.built({ tags: ['secret'], secrets: [{ id: 'word', source: { value } }] });
  assert.equal(output, 'it is there\n');
  const held = (bytes: Buffer) => bytes.includes(value) || bytes.includes(Buffer.from(value).toString('base64'));
  assert.ok(!held(Buffer.from(JSON.stringify(events))));
  let files = 0;
  for (const entry of await readdir(bench.root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const bytes = await readFile(join(entry.parentPath, entry.name));
    const packed = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
    assert.ok(!held(bytes) && !held(packed), `${entry.name} has the secret`);
    files++;
  }
  assert.ok(files > 10);
  await bench.write({ Dockerfile: `${busyboxStage}RUN --mount=type=secret,id=word cat /run/secrets/word\n` });
  assert.equal((await bench.built({ secrets: [{ id: 'word', source: { value } }] })).output, '***');
});

test('an optional secret that nobody gave is not there', async () => {
  await using bench = await makeBench({ Dockerfile: `${busyboxStage}RUN --mount=type=secret,id=word test ! -e /run/secrets/word\n` });
  await bench.built();
});

const failures: readonly { name: string; line: string; code: string; message: RegExp; hint?: RegExp; notes?: readonly string[] }[] = [
  {
    name: 'a required secret that nobody gave',
    line: 'RUN --mount=type=secret,id=word,required true',
    code: 'SECRET_MISSING',
    message: /"word"/,
    hint: /--secret id=word/,
  },
  {
    name: 'a RUN that fails',
    line: 'RUN for i in 1 2 3; do echo line $i; done; exit 42',
    code: 'RUN_FAILED',
    message: /exit status 42/,
    notes: ['line 1', 'line 2', 'line 3'],
  },
  // The program itself is the first of its namespace, which no signal from within can kill: pid_namespaces(7).
  { name: 'a RUN whose child is killed', line: "RUN sh -c 'kill -9 $$'; exit $?", code: 'RUN_FAILED', message: /exit status 137/ },
  { name: 'a program that is not there', line: 'RUN ["/no/such"]', code: 'RUN_FAILED', message: /127/, hint: /not found/ },
  { name: 'a RUN as nobody that is known', line: 'RUN --mount=type=tmpfs,target=/t true', code: 'USER_NOT_FOUND', message: /"nobody2"/ },
  { name: 'a COPY to nobody that is known', line: 'COPY --chown=nobody2 file /', code: 'USER_NOT_FOUND', message: /"nobody2"/ },
  { name: 'a COPY to a group that is not known', line: 'COPY --chown=0:nogroup2 file /', code: 'USER_NOT_FOUND', message: /"nogroup2"/ },
  { name: 'a COPY of what is not there', line: 'COPY none /', code: 'COPY_SOURCE_MISSING', message: /"none"/ },
  { name: 'a COPY into a file', line: 'COPY file /bin/busybox/x', code: 'COPY_FAILED', message: /busybox/ },
  { name: 'a WORKDIR below a file', line: 'WORKDIR /bin/busybox/x', code: 'COPY_FAILED', message: /busybox/ },
  {
    name: 'a bind mount of what is not there',
    line: 'RUN --mount=type=bind,source=none,target=/m true',
    code: 'COPY_SOURCE_MISSING',
    message: /none/,
  },
];

for (const { name, line, code, message, hint, notes } of failures) {
  test(`${name} fails with ${code} at its line`, async () => {
    const user = name.startsWith('a RUN as nobody') ? 'USER nobody2\n' : '';
    const dockerfile = `${busyboxStage}${user}${line}\nRUN true\n`;
    await using bench = await makeBench({ Dockerfile: dockerfile, file: 'x' });
    const { error, events } = await bench.run();
    assert.equal(error?.code, code, error?.stack);
    assert.match(error?.message ?? '', message);
    assert.match(error?.hint ?? '', hint ?? /(?:)/);
    assert.equal(error?.range?.start.line, lineOf(dockerfile, line));
    if (notes) assert.deepEqual(error?.notes, notes);
    assert.equal(events.filter(({ type }) => type === 'vertex.failed').length, 1);
    const last = events.at(-1);
    assert.equal(last?.type === 'build.failed' && last.code, code);
    assert.equal(last?.type === 'build.failed' && last.range?.start.line, lineOf(dockerfile, line));
  });
}

test('COPY --chown of a name fails where there is nothing to find it in', async () => {
  await using bench = await makeBench({ Dockerfile: 'FROM scratch\nCOPY --chown=nobody2 file /\n', file: 'x' });
  const { error } = await bench.run();
  assert.equal(error?.code, 'USER_NOT_FOUND', error?.stack);
});

test('names that are not well formed fail before anything is built', async () => {
  await using bench = await makeBench({ Dockerfile: `${busyboxStage}RUN true\n` });
  const { error, events } = await bench.run({ tags: ['Not A Name'] });
  assert.equal(error?.code, 'REFERENCE_INVALID');
  assert.ok(!events.some(({ type }) => type === 'vertex.started'));
});

test('an aborted build ends with CANCELLED, and leaves nothing behind', async () => {
  await using bench = await makeBench({ Dockerfile: `${busyboxStage}RUN echo begun; exec sleep 100000\n` });
  const abort = new AbortController();
  const { error, events } = await bench.run({
    signal: abort.signal,
    onEvent: (event) => event.type === 'vertex.output' && abort.abort(),
  });
  assert.equal(error?.code, 'CANCELLED');
  assert.ok(!events.some(({ type }) => type === 'vertex.failed'), 'nothing failed by itself');
  assert.deepEqual(await readdir(join(bench.root, 'tmp')), []);
  assert.deepEqual(mountsBelow(bench.directory), []);
  await bench.write({ Dockerfile: `${busyboxStage}RUN echo other\n` });
  assert.deepEqual((await bench.built()).ran, ['RUN echo other']);
});

test('a build that is aborted before it begins ends with CANCELLED', async () => {
  await using bench = await makeBench({ Dockerfile: busyboxStage });
  assert.equal((await bench.fails({ signal: AbortSignal.abort() })).code, 'CANCELLED');
});

test('the config has what the Dockerfile says, and history a row for each instruction', async () => {
  await using bench = await makeBench({
    Dockerfile: `${busyboxStage}LABEL a=b\nUSER app\nWORKDIR /home/app\nEXPOSE 80\nENTRYPOINT ["/bin/cat"]\nCMD ["x"]\n`,
  });
  const { result } = await bench.built({ tags: ['config'] });
  const config = JSON.parse(await tool('skopeo', ['inspect', '--raw', '--config', `oci:${bench.root}:docker.io/library/config:latest`]));
  assert.equal(digestOf(JSON.stringify(config)), result.configDigest);
  assert.deepEqual(config.config, {
    User: 'app',
    ExposedPorts: { '80/tcp': {} },
    Env: ['PATH=/bin'],
    Entrypoint: ['/bin/cat'],
    Cmd: ['x'],
    WorkingDir: '/home/app',
    Labels: { a: 'b' },
    ArgsEscaped: true,
  });
  // Source: the OCI image specification: as many rows that are not empty as there are layers.
  const rows = config.history.filter((row: { empty_layer?: boolean }) => !row.empty_layer);
  assert.equal(rows.length, config.rootfs.diff_ids.length);
  await assertValid(bench.root, 'config');
});

test('a Dockerfile that never ends is refused, not read', async () => {
  await using bench = await makeBench({});
  assert.equal((await bench.fails({ dockerfile: '/dev/zero' })).code, 'DOCKERFILE_INVALID');
  await writeFile(join(bench.directory, 'text'), 'FROM scratch\nCOPY busybox /\n');
  await bench.built({ dockerfile: join(bench.directory, 'text') });
});
