import assert from 'node:assert/strict';
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type DiffID, digestOf, hexOf } from '../../src/oci/digest.ts';
import type { CacheRecord } from '../../src/store/cache-records.ts';
import type { LayerFacts } from '../../src/store/layer-facts.ts';
import { temporaryStore } from '../support/store.ts';

const key = digestOf('key');
const diffID = digestOf('layer') as string as DiffID;
const record: CacheRecord = {
  version: 1,
  kind: 'definition',
  fields: [['argv', digestOf('make')]],
  inputs: ['scratch'],
  layer: diffID,
  created: '2024-01-02T03:04:05.678Z',
};

test('a record comes back', async () => {
  await using made = await temporaryStore();
  assert.equal(await made.store.records.get(key), undefined);
  await made.store.records.put(key, record);
  assert.deepEqual(await made.store.records.get(key), record);
  await made.store.records.put(key, { ...record, kind: 'content' });
  assert.equal((await made.store.records.get(key))?.kind, 'content');
});

for (const { name, damage } of [
  { name: 'an empty file', damage: () => '' },
  { name: 'its first half', damage: (text: string) => text.slice(0, text.length / 2) },
  { name: 'all but the last byte', damage: (text: string) => text.slice(0, -1) },
  { name: 'a changed field', damage: (text: string) => text.replace('argv', 'arg0') },
  { name: 'something more', damage: (text: string) => `${text}x` },
  { name: 'zeroes', damage: (text: string) => '\0'.repeat(text.length) },
]) {
  test(`a record of which there is ${name} is a miss`, async () => {
    await using made = await temporaryStore();
    await made.store.records.put(key, record);
    const path = join(made.store.root, 'records', `${hexOf(key)}.json`);
    await writeFile(path, damage(await readFile(path, 'utf8')));
    assert.equal(await made.store.records.get(key), undefined);
  });
}

test('a record under another key is a miss', async () => {
  await using made = await temporaryStore();
  await made.store.records.put(key, record);
  const folder = join(made.store.root, 'records');
  const other = digestOf('other');
  await copyFile(join(folder, `${hexOf(key)}.json`), join(folder, `${hexOf(other)}.json`));
  assert.equal(await made.store.records.get(other), undefined);
});

test('a record of a newer version is a miss', async () => {
  await using made = await temporaryStore();
  await made.store.records.put(key, { ...record, version: 2 } as unknown as CacheRecord);
  assert.equal(await made.store.records.get(key), undefined);
});

const blob = (text: string) => ({ mediaType: 'application/x', digest: digestOf(text), size: text.length });
const facts: LayerFacts = { diffID, size: 1024, entries: 2, created: '2024-01-01T00:00:00.000Z', blobs: [] };

test('facts of a layer come back', async () => {
  await using made = await temporaryStore();
  assert.equal(await made.store.layers.get(diffID), undefined);
  assert.deepEqual(await made.store.layers.put(facts), facts);
  assert.deepEqual(await made.store.layers.get(diffID), facts);
});

test('a layer keeps the time of its first making, and gains blobs', async () => {
  await using made = await temporaryStore();
  const { layers } = made.store;
  await layers.put({ ...facts, blobs: [blob('a')] });
  const want = { ...facts, blobs: [blob('a'), blob('b')] };
  assert.deepEqual(await layers.put({ ...facts, created: '2025-01-01T00:00:00.000Z', blobs: [blob('a'), blob('b')] }), want);
  assert.deepEqual(await layers.get(diffID), want);
});

test('makers of one layer at the same time agree on its time', async () => {
  await using made = await temporaryStore();
  const times = Array.from({ length: 10 }, (_, at) => `2024-01-01T00:00:0${at}.000Z`);
  const results = await Promise.all(times.map((created) => made.store.layers.put({ ...facts, created })));
  assert.equal(new Set(results.map(({ created }) => created)).size, 1);
});

test('torn facts are made anew', async () => {
  await using made = await temporaryStore();
  await made.store.layers.put(facts);
  await writeFile(join(made.store.root, 'layers', `${hexOf(diffID)}.json`), '{');
  assert.equal(await made.store.layers.get(diffID), undefined);
  assert.deepEqual(await made.store.layers.put(facts), facts);
  assert.deepEqual(await made.store.layers.get(diffID), facts);
});

test('origins are few, the newest first', async () => {
  await using made = await temporaryStore();
  const { origins, root } = made.store;
  assert.deepEqual(await origins.get(key), []);
  for (let at = 0; at < 12; at++) await origins.add(key, { registry: 'r.example', repository: `p${at}` });
  await origins.add(key, { registry: 'r.example', repository: 'p8' });
  assert.deepEqual(
    (await origins.get(key)).map(({ repository }) => repository),
    ['p8', 'p11', 'p10', 'p9', 'p7', 'p6', 'p5', 'p4'],
  );
  assert.deepEqual(await readdir(join(root, 'tmp/test')), []);
});
