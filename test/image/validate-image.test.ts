import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { validateImage } from '../../src/image/validate-image.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import type { Store } from '../../src/store/store.ts';
import { putImage } from '../support/images.ts';
import { temporaryStore } from '../support/store.ts';

const json = (value: unknown) => Buffer.from(JSON.stringify(value));

// biome-ignore lint/suspicious/noExplicitAny: the cases below break these documents in ways that no type allows.
type Loose = any;

/** The same image with one of its documents changed. */
async function changed(store: Store, image: Descriptor, edit: (manifest: Loose, config: Loose) => void): Promise<Descriptor> {
  const manifest = JSON.parse((await store.blobs.readBytes(image.digest, 100_000)).toString());
  const config = JSON.parse((await store.blobs.readBytes(manifest.config.digest, 100_000)).toString());
  const before = JSON.stringify(config);
  const size = manifest.config.size;
  edit(manifest, config);
  if (JSON.stringify(config) !== before) manifest.config = await store.blobs.put(json(config), mediaTypes.config);
  else if (manifest.config.size === size) manifest.config.size = json(config).length;
  return store.blobs.put(json(manifest), mediaTypes.manifest);
}

test('a good image has no problems', async () => {
  await using made = await temporaryStore();
  assert.deepEqual(await validateImage(made.store.blobs, await putImage(made.store, ['a', 'b'])), []);
  assert.deepEqual(await validateImage(made.store.blobs, await putImage(made.store, ['a'], { docker: true })), []);
});

for (const { name, edit, want } of [
  { name: 'a foreign diffID', edit: (_: Loose, config: Loose) => config.rootfs.diff_ids.reverse(), want: /has the diffID/ },
  {
    name: 'a diffID too many',
    edit: (_: Loose, config: Loose) => config.rootfs.diff_ids.push(config.rootfs.diff_ids[0]),
    want: /2 layers, the config 3/,
  },
  { name: 'a row too few', edit: (_: Loose, config: Loose) => config.history.pop(), want: /1 rows with a layer, the image has 2/ },
  { name: 'a row marked empty', edit: (_: Loose, config: Loose) => (config.history[0].empty_layer = true), want: /1 rows/ },
  { name: 'a time that is none', edit: (_: Loose, config: Loose) => (config.history[0].created = 'noon'), want: /row 0 has no valid time/ },
  { name: 'a wrong layer size', edit: (manifest: Loose) => manifest.layers[0].size--, want: /is longer than/ },
  { name: 'a wrong config size', edit: (manifest: Loose) => manifest.config.size++, want: /the config has/ },
  { name: 'a layer that is no layer', edit: (manifest: Loose) => (manifest.layers[0].mediaType = 'text/plain'), want: /no layer's/ },
  {
    name: 'a compression that is not the one it says',
    edit: (manifest: Loose) => (manifest.layers[0].mediaType = mediaTypes.layerZstd),
    want: /not compressed as it says/,
  },
  { name: 'layers and manifests', edit: (manifest: Loose) => (manifest.manifests = []), want: /does not belong/ },
  {
    name: 'a digest that is a path',
    edit: (manifest: Loose) => (manifest.layers[0].digest = 'sha256:../../x'),
    want: /expected a sha256 digest/,
  },
  { name: 'a negative size', edit: (manifest: Loose) => (manifest.layers[0].size = -1), want: /expected a whole number/ },
  { name: 'an Env of numbers', edit: (_: Loose, config: Loose) => (config.config.Env = [1]), want: /expected a list of strings/ },
]) {
  test(`finds ${name}`, async () => {
    await using made = await temporaryStore();
    const image = await changed(made.store, await putImage(made.store, ['a', 'b']), edit);
    assert.match((await validateImage(made.store.blobs, image)).join('\n'), want);
  });
}

test('finds a damaged blob', async () => {
  await using made = await temporaryStore();
  const image = await putImage(made.store, ['a']);
  const manifest = JSON.parse((await made.store.blobs.readBytes(image.digest, 100_000)).toString());
  await writeFile(made.store.blobs.path(manifest.layers[0].digest), gzipSync('other'));
  assert.equal((await validateImage(made.store.blobs, image)).length, 1);
});

test('an index is as good as what it names', async () => {
  await using made = await temporaryStore();
  const { blobs } = made.store;
  const good = await putImage(made.store, ['a']);
  const index = (manifests: unknown[]) => blobs.put(json({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }), mediaTypes.index);
  assert.deepEqual(await validateImage(blobs, await index([good])), []);
  assert.match((await validateImage(blobs, await index([await index([good])]))).join(), /names .* of type/);
  assert.match((await validateImage(blobs, await index([{ ...good, digest: `sha256:${'0'.repeat(64)}` }]))).join(), /no blob/);
});
