import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findImage } from '../../src/store/find-image.ts';
import { withCode } from '../support/errors.ts';
import { putImage } from '../support/images.ts';
import { temporaryStore } from '../support/store.ts';

test('an image is found by what a user may call it', async () => {
  await using made = await temporaryStore();
  const { store } = made;
  const image = await putImage(store, ['one']);
  const name = 'docker.io/library/hello:latest';
  await store.refs.set(name, image);
  const hex = image.digest.slice('sha256:'.length);
  for (const text of ['hello', 'hello:latest', 'docker.io/library/hello', name]) {
    assert.deepEqual(await findImage(store, text), { name, descriptor: image });
  }
  for (const text of [image.digest, hex.slice(0, 12), `sha256:${hex.slice(0, 12)}`, hex]) {
    assert.deepEqual(await findImage(store, text), { descriptor: image });
  }
});

test('an image without a name is found by its whole digest', async () => {
  await using made = await temporaryStore();
  const image = await putImage(made.store, ['one']);
  assert.deepEqual(await findImage(made.store, image.digest), { descriptor: image });
});

test('what is not there is not found', async () => {
  await using made = await temporaryStore();
  const { store } = made;
  await assert.rejects(findImage(store, 'hello'), withCode('IMAGE_NOT_FOUND'));
  await store.refs.set('docker.io/library/hello:1.0', await putImage(store, ['one']));
  for (const text of ['hello', 'other', 'abcd', `sha256:${'0'.repeat(64)}`, '0'.repeat(64)]) {
    await assert.rejects(findImage(store, text), withCode('IMAGE_NOT_FOUND', new RegExp(text)));
  }
  await assert.rejects(findImage(store, 'Not A Name'), withCode('REFERENCE_INVALID'));
});

test('a blob that is no image is no image', async () => {
  await using made = await temporaryStore();
  for (const text of ['text', '{"rootfs":{}}', '[]']) {
    const blob = await made.store.blobs.put(Buffer.from(text), 'text/plain');
    await assert.rejects(findImage(made.store, blob.digest), withCode('IMAGE_NOT_FOUND'));
  }
});
