import assert from 'node:assert/strict';
import { validateImage } from '../../src/image/validate-image.ts';
import { formatReference, parseReference } from '../../src/oci/reference.ts';
import { Store } from '../../src/store/store.ts';

/** Recomputes every digest, diffID, size and history row of an image in a store. */
export async function assertValid(root: string, name: string): Promise<void> {
  const store = Store.openForReading(root);
  const full = formatReference(parseReference(name));
  const ref = (await store.refs.list()).find((each) => each.name === full);
  assert.ok(ref, `the store has no "${full}"`);
  assert.deepEqual(await validateImage(store.blobs, ref.descriptor), []);
}
