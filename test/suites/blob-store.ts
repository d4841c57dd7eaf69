import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { withCode } from '../support/errors.ts';

const type = 'application/octet-stream';
const absent = `sha256:${'0'.repeat(64)}` as Digest;

async function* chunks(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

async function* failing(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('half');
  throw new Error('the source broke');
}

/** The contract of every BlobStore. `make` gives an empty one; `temporary` lists what it left behind of unfinished blobs. */
export function blobStoreSuite(make: () => Promise<AsyncDisposable & { blobs: BlobStore; temporary: () => Promise<string[]> }>): void {
  test('bytes come back', async () => {
    await using made = await make();
    const blob = await made.blobs.put(Buffer.from('hello'), type);
    // printf hello | sha256sum
    assert.deepEqual(blob, { mediaType: type, digest: 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824', size: 5 });
    assert.equal((await made.blobs.readBytes(blob.digest, 5)).toString(), 'hello');
    assert.equal(Buffer.concat(await made.blobs.read(blob).toArray()).toString(), 'hello');
    assert.deepEqual(await made.blobs.stat(blob.digest), { size: 5 });
    assert.equal(await made.blobs.has(blob.digest), true);
    assert.deepEqual(await made.temporary(), []);
  });

  test('a stream is named by its bytes, not by its pieces', async () => {
    await using made = await make();
    const blob = await made.blobs.put(chunks('he', 'l', '', 'lo'), type);
    assert.equal(blob.digest, digestOf('hello'));
    assert.equal(blob.size, 5);
  });

  test('the empty blob is a blob', async () => {
    await using made = await make();
    const blob = await made.blobs.put(chunks(), type);
    assert.equal(blob.digest, `sha256:${createHash('sha256').digest('hex')}`);
    assert.deepEqual(await made.blobs.read(blob).toArray(), []);
  });

  test('putting a blob again, also at the same time, changes nothing', async () => {
    await using made = await make();
    const all = await Promise.all(Array.from({ length: 8 }, () => made.blobs.put(chunks('same'), type)));
    assert.equal(new Set(all.map(({ digest }) => digest)).size, 1);
    await made.blobs.put(Buffer.from('same'), type);
    assert.equal((await made.blobs.readBytes(digestOf('same'), 4)).toString(), 'same');
    assert.deepEqual(await made.temporary(), []);
  });

  test('what is absent is absent', async () => {
    await using made = await make();
    assert.equal(await made.blobs.has(absent), false);
    assert.equal(await made.blobs.stat(absent), undefined);
    await assert.rejects(made.blobs.readBytes(absent, 10), withCode('IMAGE_INVALID', /no blob/));
    await assert.rejects(made.blobs.read({ digest: absent, size: 1 }).toArray(), withCode('IMAGE_INVALID', /no blob/));
  });

  for (const { name, content, expected, message } of [
    { name: 'another digest', content: chunks('hello'), expected: { digest: absent, size: 5 }, message: /expected a blob/ },
    { name: 'too few bytes', content: chunks('hell'), expected: { digest: digestOf('hello'), size: 5 }, message: /ends after 4 of 5/ },
    { name: 'too many bytes', content: chunks('hello', '!'), expected: { digest: digestOf('hello'), size: 5 }, message: /longer/ },
    { name: 'wrong bytes at once', content: Buffer.from('hallo'), expected: { digest: digestOf('hello'), size: 5 }, message: /expected/ },
  ]) {
    test(`keeps nothing of ${name}`, async () => {
      await using made = await make();
      await assert.rejects(made.blobs.put(content, type, { expected }), withCode('IMAGE_INVALID', message));
      assert.equal(await made.blobs.has(expected.digest), false);
      assert.deepEqual(await made.temporary(), []);
    });
  }

  test('keeps nothing of a source that breaks', async () => {
    await using made = await make();
    await assert.rejects(made.blobs.put(failing(), type), /the source broke/);
    assert.equal(await made.blobs.has(digestOf('half')), false);
    assert.deepEqual(await made.temporary(), []);
  });

  test('keeps nothing after an abort', async () => {
    await using made = await make();
    const signal = AbortSignal.abort(new Error('stopped'));
    await assert.rejects(made.blobs.put(chunks('a', 'b'), type, { signal }), /stopped/);
    assert.deepEqual(await made.temporary(), []);
  });

  for (const { name, bytes } of [
    { name: 'a changed byte', bytes: 'hallo' },
    { name: 'a missing byte', bytes: 'hell' },
    { name: 'a byte too many', bytes: 'hello!' },
  ]) {
    test(`a read finds ${name}`, async () => {
      await using made = await make();
      const blob = await made.blobs.put(Buffer.from('hello'), type);
      await writeFile(made.blobs.path(blob.digest), bytes);
      await assert.rejects(made.blobs.read(blob).toArray(), withCode('IMAGE_INVALID'));
      await assert.rejects(made.blobs.readBytes(blob.digest, 100), withCode('IMAGE_INVALID'));
    });
  }

  test('a torn blob is made whole by putting it again', async () => {
    await using made = await make();
    const blob = await made.blobs.put(Buffer.from('hello'), type);
    await writeFile(made.blobs.path(blob.digest), '');
    await made.blobs.put(Buffer.from('hello'), type);
    assert.equal((await made.blobs.readBytes(blob.digest, 5)).toString(), 'hello');
  });

  test('readBytes has a limit', async () => {
    await using made = await make();
    const blob = await made.blobs.put(Buffer.from('hello'), type);
    await assert.rejects(made.blobs.readBytes(blob.digest, 4), withCode('IMAGE_INVALID', /at most 4/));
  });

  test('a reader may stop in the middle', async () => {
    await using made = await make();
    const blob = await made.blobs.put(Buffer.alloc(1024 * 1024), type);
    for await (const chunk of made.blobs.read(blob)) {
      assert.ok(chunk.length > 0);
      break;
    }
  });

  for (const digest of ['', 'sha256:', 'sha256:../../etc/passwd', `sha512:${'0'.repeat(128)}`, `sha256:${'G'.repeat(64)}`]) {
    test(`"${digest.slice(0, 30)}" names no file`, async () => {
      await using made = await make();
      assert.throws(() => made.blobs.path(digest as Digest), TypeError);
      await assert.rejects(made.blobs.stat(digest as Digest), TypeError);
    });
  }
}
