import assert from 'node:assert/strict';
import { appendFile, readdir, rename, rm, truncate, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Bench, busyboxStage, makeBench } from '../support/library.ts';
import { layerDigests } from '../support/stored.ts';
import { tool } from '../support/tools.ts';
import { assertValid } from '../support/valid.ts';

/** Steps that stand for all kinds: what a RUN makes, two copies, a WORKDIR. */
const dockerfile = `${busyboxStage}RUN echo made >/made
COPY one /one
COPY two /two
WORKDIR /work
RUN cat /one /two >all
`;

const all = ['RUN echo made >/made', 'COPY one /one', 'COPY two /two', 'WORKDIR /work', 'RUN cat /one /two >all'];

const makeBuilt = async (): Promise<Bench> => {
  const bench = await makeBench({ Dockerfile: dockerfile, one: 'one\n', two: 'two\n' });
  await bench.built();
  return bench;
};

const lastOf = (names: readonly string[], count = all.length): readonly string[] => names.slice(-count);

test('a first build runs every step, a second one none, and gives the same image', async () => {
  await using bench = await makeBench({ Dockerfile: dockerfile, one: 'one\n', two: 'two\n' });
  const first = await bench.built({ tags: ['cache'] });
  assert.deepEqual(lastOf(first.ran), all);
  assert.deepEqual(first.cached, []);
  const second = await bench.built();
  assert.deepEqual(second.ran, []);
  assert.deepEqual(lastOf(second.cached), all);
  assert.equal(second.result.digest, first.result.digest);
  await assertValid(bench.root, 'cache');
});

test('a new mtime alone runs nothing', async () => {
  await using bench = await makeBuilt();
  await utimes(join(bench.context, 'one'), 1, 1);
  assert.deepEqual((await bench.built()).ran, []);
});

test('one changed byte runs exactly the steps from the one that copies it', async () => {
  await using bench = await makeBuilt();
  await bench.write({ two: 'twO\n' });
  const { ran, result } = await bench.built();
  assert.deepEqual(ran, all.slice(2));
  await bench.write({ two: 'two\n' });
  const back = await bench.built();
  assert.deepEqual(back.ran, [], 'the older records still count');
  assert.notEqual(back.result.digest, result.digest);
});

test('a changed RUN that gives the same files lets the steps after it hit by their content', async () => {
  await using bench = await makeBuilt();
  await bench.write({ Dockerfile: dockerfile.replace('echo made', 'echo ma""de') });
  assert.deepEqual((await bench.built()).ran, ['RUN echo ma""de >/made']);
  assert.deepEqual((await bench.built()).ran, []);
});

test('without the cache all steps run, and what they make again is the same layer', async () => {
  await using bench = await makeBuilt();
  const { result } = await bench.built();
  const again = await bench.built({ noCache: true });
  assert.deepEqual(lastOf(again.ran), all);
  assert.deepEqual(await layerDigests(bench.root, again.result.digest), await layerDigests(bench.root, result.digest));
  assert.deepEqual((await bench.built()).ran, []);
});

test('what has the time of its making is the same layer when it is made again', async () => {
  await using bench = await makeBench({ Dockerfile: `${busyboxStage}WORKDIR /work\nCOPY <<END /text\nhello\nEND\n` });
  const { result } = await bench.built();
  // Times in a layer are whole seconds: the second build must not fall into the same one.
  const second = Math.floor(Date.now() / 1000);
  while (Math.floor(Date.now() / 1000) === second) await new Promise((resolve) => setTimeout(resolve, 20));
  const again = await bench.built({ noCache: true });
  assert.deepEqual(lastOf(again.ran, 2), ['WORKDIR /work', 'COPY <<END /text']);
  assert.deepEqual(await layerDigests(bench.root, again.result.digest), await layerDigests(bench.root, result.digest));
});

test('a time that a RUN sets is part of its layer, one that it passes is not', async () => {
  await using bench = await makeBench({ Dockerfile: `${busyboxStage}RUN echo a >/file\n` });
  const { result: plain } = await bench.built();
  const again = await bench.built({ noCache: true });
  assert.deepEqual(await layerDigests(bench.root, again.result.digest), await layerDigests(bench.root, plain.digest));

  const touched = async (stamp: string): Promise<readonly string[]> => {
    // The stamp comes by a secret, whose value is no part of any key: the step's own fields are the same.
    await bench.write({
      Dockerfile: `${busyboxStage}RUN --mount=type=secret,id=stamp echo a >/file; touch -d @$(cat /run/secrets/stamp) /file\n`,
    });
    const { result } = await bench.built({ noCache: true, secrets: [{ id: 'stamp', source: { value: stamp } }] });
    return layerDigests(bench.root, result.digest);
  };
  const first = await touched('1000000000');
  assert.deepEqual(await touched('1000000000'), first);
  assert.notDeepEqual(await touched('1000000001'), first);
});

test('what no step needs is not run', async () => {
  const unneeded = 'FROM base AS unneeded\nRUN exit 1\n';
  await using bench = await makeBench({ Dockerfile: `${busyboxStage}${unneeded}FROM base\nRUN true\n` });
  assert.equal((await bench.built()).ran.at(-1), 'RUN true');
});

test('only the copied files of a stage count, not how it was made', async () => {
  const make = (other: string): string => `${busyboxStage}FROM base AS build
RUN mkdir /out; echo result >/out/file; echo ${other} >/other
FROM base
COPY --from=build /out /out
RUN cat /out/file
`;
  await using bench = await makeBench({ Dockerfile: make('1') });
  await bench.built();
  await bench.write({ Dockerfile: make('2') });
  assert.deepEqual((await bench.built()).ran, ['RUN mkdir /out; echo result >/out/file; echo 2 >/other']);
});

// What a store may lose between two builds. The image that the second build gives is always the same.
const losses: readonly { name: string; lose: (root: string) => Promise<void>; runs: readonly string[] }[] = [
  {
    name: 'its snapshots',
    lose: (root) => rename(join(root, 'snapshots'), join(root, 'lost')),
    runs: [],
  },
  {
    name: 'its blobs',
    lose: async (root) => {
      for (const name of await readdir(join(root, 'blobs/sha256'))) await rm(join(root, 'blobs/sha256', name));
    },
    runs: [],
  },
  {
    name: 'the names of its layers',
    lose: (root) => rm(join(root, 'layers-by-name'), { recursive: true }),
    runs: [],
  },
  {
    name: 'its digests of content',
    lose: async (root) => {
      for (const folder of ['content', 'statcache']) await rm(join(root, folder), { recursive: true, force: true });
    },
    runs: [],
  },
];

for (const { name, lose, runs } of losses) {
  test(`a store that lost ${name} builds the same image`, async () => {
    await using bench = await makeBuilt();
    const { result } = await bench.built({ tags: ['lost'] });
    await lose(bench.root);
    const again = await bench.built({ tags: ['lost'] });
    assert.deepEqual(again.ran, runs);
    assert.equal(again.result.digest, result.digest);
    await assertValid(bench.root, 'lost');
    // A step that needs the files of all layers on disk.
    await bench.write({ Dockerfile: `${dockerfile}RUN cat /work/all && test -x /bin/cat\n` });
    const more = await bench.built();
    assert.equal(more.output, 'one\ntwo\n');
  });
}

test('layers of which neither blob nor snapshot is left are made again', async () => {
  await using bench = await makeBuilt();
  await rm(join(bench.root, 'blobs'), { recursive: true });
  await rm(join(bench.root, 'snapshots'), { recursive: true });
  const again = await bench.built({ tags: ['lost'] });
  assert.deepEqual(lastOf(again.ran), all);
  await assertValid(bench.root, 'lost');
});

for (const { name, tear } of [
  { name: 'cut short', tear: (path: string) => truncate(path, 20) },
  { name: 'empty', tear: (path: string) => truncate(path, 0) },
  { name: 'longer than it was', tear: (path: string) => appendFile(path, 'x') },
]) {
  test(`records that are ${name} are misses`, async () => {
    await using bench = await makeBuilt();
    const records = join(bench.root, 'records');
    for (const record of await readdir(records)) await tear(join(records, record));
    const { ran } = await bench.built();
    assert.deepEqual(lastOf(ran), all);
    assert.deepEqual((await bench.built()).ran, []);
  });
}

test('what ran before a step that fails is kept', async () => {
  const long = 'RUN mkdir /many; i=0; while [ $i -lt 3000 ]; do echo $i >/many/$i; i=$((i+1)); done';
  await using bench = await makeBench({ Dockerfile: `${busyboxStage}${long}\nRUN exit 3\n` });
  assert.equal((await bench.fails()).code, 'RUN_FAILED');
  await bench.write({ Dockerfile: `${busyboxStage}${long}\nRUN echo mended\n` });
  assert.deepEqual((await bench.built()).ran, ['RUN echo mended']);
});

test('two builds of one Dockerfile at once in one store give the same image', async () => {
  await using bench = await makeBench({ Dockerfile: dockerfile, one: 'one\n', two: 'two\n' });
  const both = await Promise.all([bench.built({ tags: ['a'] }), bench.built({ tags: ['b'] })]);
  for (const tag of ['a', 'b']) await assertValid(bench.root, tag);
  const { ran, result } = await bench.built();
  assert.deepEqual(ran, []);
  assert.deepEqual(
    both.map((each) => each.result.digest),
    [result.digest, result.digest],
  );
});

test('two builds of different Dockerfiles at once in one store end well', async () => {
  await using bench = await makeBench({
    Dockerfile: dockerfile,
    one: 'one\n',
    two: 'two\n',
    Other: `${busyboxStage}RUN echo other >/made\n`,
  });
  const other = join(bench.context, 'Other');
  await Promise.all([bench.built({ tags: ['a'] }), bench.built({ tags: ['b'], dockerfile: other })]);
  for (const tag of ['a', 'b']) await assertValid(bench.root, tag);
  assert.deepEqual((await bench.built()).ran, []);
  assert.deepEqual((await bench.built({ dockerfile: other })).ran, []);
  assert.match(await tool('skopeo', ['inspect', `oci:${bench.root}:docker.io/library/b:latest`]), /sha256:/);
});
