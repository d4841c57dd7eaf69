import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Store } from '../../src/store/store.ts';
import { withCode } from '../support/errors.ts';
import { putImage } from '../support/images.ts';
import { LocalLocks, temporaryFolder, temporaryStore } from '../support/store.ts';

const run = promisify(execFile);
const hello = 'docker.io/library/hello:latest';

test('a name is kept, renamed and deleted', async () => {
  await using made = await temporaryStore();
  const { refs } = made.store;
  const [one, two] = [await putImage(made.store, ['one']), await putImage(made.store, ['two'])];
  assert.equal(await refs.get(hello), undefined);
  await refs.set(hello, one);
  assert.deepEqual((await refs.get(hello))?.descriptor, one);
  await refs.set(hello, two);
  await refs.set('docker.io/library/a:1', one);
  assert.deepEqual(
    (await refs.list()).map(({ name, descriptor }) => [name, descriptor.digest]),
    [
      ['docker.io/library/a:1', one.digest],
      [hello, two.digest],
    ],
  );
  assert.equal(await refs.delete(hello), true);
  assert.equal(await refs.delete(hello), false);
  assert.equal(await refs.get(hello), undefined);
});

test('the same name for the same image stays as it is', async () => {
  await using made = await temporaryStore();
  const image = await putImage(made.store, ['one']);
  const first = await made.store.refs.set(hello, image);
  assert.deepEqual(await made.store.refs.set(hello, image), first);
});

test('other readers find images in the layout by their names', async () => {
  await using made = await temporaryStore();
  const image = await putImage(made.store, ['one']);
  await made.store.refs.set(hello, image);
  await made.store.refs.set('127.0.0.1:5000/a/b:x', await putImage(made.store, ['two']));
  const { stdout } = await run('skopeo', ['inspect', '--format', '{{.Digest}}', `oci:${made.store.root}:${hello}`]);
  assert.equal(stdout.trim(), image.digest);
});

test('an empty store is an OCI layout', async () => {
  await using made = await temporaryStore();
  assert.deepEqual(JSON.parse(await readFile(join(made.store.root, 'index.json'), 'utf8')).manifests, []);
  assert.deepEqual(JSON.parse(await readFile(join(made.store.root, 'oci-layout'), 'utf8')), { imageLayoutVersion: '1.0.0' });
});

for (const { name, damage, message } of [
  { name: 'is missing', damage: (path: string) => rm(path), message: /is missing/ },
  { name: 'is short', damage: (path: string) => truncate(path, 3), message: /has 3 of \d+ bytes/ },
]) {
  test(`an image whose layer ${name} gets no name`, async () => {
    await using made = await temporaryStore();
    const { store } = made;
    const image = await putImage(store, ['one']);
    const manifest = JSON.parse((await store.blobs.readBytes(image.digest, 10_000)).toString());
    await damage(store.blobs.path(manifest.layers[0].digest));
    await assert.rejects(store.refs.set(hello, image), withCode('IMAGE_INVALID', message));
    assert.deepEqual(await store.refs.list(), []);
  });
}

test('something that is no image gets no name', async () => {
  await using made = await temporaryStore();
  const blob = await made.store.blobs.put(Buffer.from('{}'), 'application/json');
  await assert.rejects(made.store.refs.set(hello, blob), withCode('IMAGE_INVALID'));
});

test('names that are given at the same time are all in index.json', async () => {
  await using folder = await temporaryFolder();
  const locks = new LocalLocks();
  const stores = await Promise.all(['a', 'b'].map((lease) => Store.open(join(folder.path, 's'), { temporary: `tmp/${lease}`, locks })));
  const names = Array.from({ length: 10 }, (_, at) => `docker.io/library/x:${at}`);
  await Promise.all(
    names.map(async (name, at) => {
      const store = stores[at % 2];
      assert.ok(store);
      await store.refs.set(name, await putImage(store, [name]));
    }),
  );
  const index = JSON.parse(await readFile(join(folder.path, 's', 'index.json'), 'utf8'));
  const found = index.manifests.map((entry: { annotations: Record<string, string> }) => entry.annotations['io.containerd.image.name']);
  assert.deepEqual(found, names);
});

test('a long name has a file of its own', async () => {
  await using made = await temporaryStore();
  const name = `host.example/${'a/'.repeat(110)}b:${'t'.repeat(128)}`;
  const image = await putImage(made.store, ['one']);
  await made.store.refs.set(name, image);
  assert.equal((await made.store.refs.get(name))?.name, name);
  assert.equal((await made.store.refs.list()).length, 1);
});

test('a damaged reference is named, not passed over', async () => {
  await using made = await temporaryStore();
  await made.store.refs.set(hello, await putImage(made.store, ['one']));
  const [file = ''] = await readdir(join(made.store.root, 'refs'));
  await writeFile(join(made.store.root, 'refs', file), '{"name":');
  await assert.rejects(made.store.refs.list(), withCode('STORE_FAILED', /damaged/));
});

test('a reader needs no worker, and no store', async () => {
  await using made = await temporaryStore();
  const image = await putImage(made.store, ['one']);
  await made.store.refs.set(hello, image);
  assert.deepEqual((await Store.openForReading(made.store.root).refs.get(hello))?.descriptor, image);
  assert.deepEqual(await Store.openForReading('/no/such/folder').refs.list(), []);
});

for (const temporary of ['', 'tmp', 'tmp/../x', '/tmp/x', 'tmp/a/b', 'tmp/..']) {
  test(`"${temporary}" is no temporary folder`, async () => {
    await using folder = await temporaryFolder();
    await assert.rejects(Store.open(folder.path, { temporary, locks: new LocalLocks() }), TypeError);
  });
}
