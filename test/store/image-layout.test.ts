import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { ImageLayout, parseLayoutReference } from '../../src/store/image-layout.ts';
import { temporaryFolder } from '../support/store.ts';

const digest = `sha256:${'a'.repeat(64)}`;

// Source: buildx 0.36, util/ocilayout/parse.go and its test.
for (const { text, want } of [
  { text: '/dir', want: { directory: '/dir', tag: 'latest' } },
  { text: '/dir:v1', want: { directory: '/dir', tag: 'v1' } },
  { text: `/dir@${digest}`, want: { directory: '/dir', digest } },
  { text: `/dir:v1@${digest}`, want: { directory: '/dir', tag: 'v1', digest } },
  { text: '/a:b/dir', want: { directory: '/a:b/dir', tag: 'latest' } },
  { text: '/a@b/dir:v', want: { directory: '/a@b/dir', tag: 'v' } },
  { text: '/dir:', want: { directory: '/dir:', tag: 'latest' } },
]) {
  test(`oci-layout://${text}`, () => assert.deepEqual(parseLayoutReference(text), want));
}

test('a layout with a digest of another kind, or without a directory, is refused', () => {
  for (const text of ['/dir@sha256:abc', '/dir@md5:abc', ':tag', `@${digest}`]) {
    assert.throws(() => parseLayoutReference(text), { code: 'REFERENCE_INVALID' }, text);
  }
});

const one = (ref: string | undefined, digit: string) => ({
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  digest: `sha256:${digit.repeat(64)}`,
  size: 2,
  ...(ref !== undefined && { annotations: { 'org.opencontainers.image.ref.name': ref } }),
});

for (const { name, manifests, asked, want } of [
  { name: 'the tag', manifests: [one('a', '1'), one('b', '2')], asked: { tag: 'b' }, want: '2' },
  { name: 'the only image, whatever its tag', manifests: [one('a', '1')], asked: { tag: 'latest' }, want: '1' },
  { name: 'the digest, whatever the index says', manifests: [], asked: { digest: `sha256:${'3'.repeat(64)}` as Digest }, want: '3' },
  { name: 'none of two', manifests: [one('a', '1'), one('b', '2')], asked: { tag: 'latest' }, want: undefined },
  { name: 'none of none', manifests: [], asked: { tag: 'latest' }, want: undefined },
]) {
  test(`which image of a layout: ${name}`, async () => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
    const finding = new ImageLayout(folder.path).find({ directory: folder.path, ...asked });
    if (want === undefined) await assert.rejects(finding, { code: 'BASE_NOT_FOUND' });
    else assert.equal((await finding).digest, `sha256:${want.repeat(64)}`);
  });
}

for (const { name, make, code } of [
  { name: 'no index', make: async () => {}, code: 'BASE_NOT_FOUND' },
  { name: 'a pipe as index', make: async (at: string) => void execFileSync('mkfifo', [at]), code: 'IMAGE_INVALID' },
  { name: 'a directory as index', make: (at: string) => mkdir(at), code: 'IMAGE_INVALID' },
  { name: 'an index that is no JSON', make: (at: string) => writeFile(at, '{'), code: 'IMAGE_INVALID' },
  {
    name: 'an index without end',
    make: async (at: string) => {
      await writeFile(at, '');
      await truncate(at, 1024 ** 4);
    },
    code: 'IMAGE_INVALID',
  },
]) {
  test(`a layout is refused, and nobody waits: ${name}`, async () => {
    await using folder = await temporaryFolder();
    await make(join(folder.path, 'index.json'));
    await assert.rejects(new ImageLayout(folder.path).find({ directory: folder.path, tag: 'a' }), { name: 'BuildError', code });
  });
}

test('a manifest is what its digest says, or it is refused', async () => {
  await using folder = await temporaryFolder();
  const bytes = '{"schemaVersion":2,"layers":[]}';
  const blobs = join(folder.path, 'blobs/sha256');
  await mkdir(blobs, { recursive: true });
  await writeFile(join(blobs, digestOf(bytes).slice(7)), bytes);
  await writeFile(join(blobs, digest.slice(7)), bytes);
  const layout = new ImageLayout(folder.path);
  const { descriptor } = await layout.document(digestOf(bytes));
  assert.deepEqual(descriptor, { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: digestOf(bytes), size: bytes.length });
  await assert.rejects(layout.document(digest as Digest), { code: 'IMAGE_INVALID', message: /has another blob/ });
  await assert.rejects(layout.document(`sha256:${'b'.repeat(64)}` as Digest), { code: 'BASE_NOT_FOUND' });
});
