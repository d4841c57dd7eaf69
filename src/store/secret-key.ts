import { createHmac, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BuildError } from '../diagnostics/build-error.ts';
import type { Digest } from '../oci/digest.ts';
import { ifThere, storing } from './store-error.ts';
import type { TemporaryFiles } from './temporary-files.ts';

/** Tells whether a secret has changed, and nothing else: who has the digest but not this store's key cannot try values. */
export type KeyedDigest = (id: string, value: Uint8Array) => Digest;

/** Digests by the key of a store: 32 random bytes in the file `secret-key`, which is made once and never leaves the store. */
export async function keyedDigest(root: string, temporary: TemporaryFiles): Promise<KeyedDigest> {
  const path = join(root, 'secret-key');
  const read = () => storing('read its key', () => ifThere(readFile(path, 'utf8')));
  let text = await read();
  if (text === undefined) {
    // Another process may make it in this moment: the first one counts.
    await temporary.writeNew(path, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
    text = await read();
  }
  const hex = /^([0-9a-f]{64})\n$/.exec(text ?? '')?.[1];
  if (hex === undefined) {
    throw new BuildError('STORE_FAILED', `the file "${path}" is damaged`, {
      hint: 'remove it: steps with secrets that say "invalidate" run once more',
    });
  }
  return (id, value) => {
    const hmac = createHmac('sha256', Buffer.from(hex, 'hex'));
    const digest = hmac
      .update(`${JSON.stringify(id)}\n`)
      .update(value)
      .digest('hex');
    return `sha256:${digest}` as Digest;
  };
}
