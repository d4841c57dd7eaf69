import { writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { type ArtifactMount, encodeArtifact } from '../../src/cache-mounts/artifact.ts';
import { type DiffID, type Digest, digestOf, hexOf } from '../../src/oci/digest.ts';
import { tarOf } from './tar.ts';

/** A tar of a cache mount, and what an artifact is to say of it. */
export interface ForgedMount {
  readonly id: string;
  readonly tar: Buffer;
  /** What is wrong: the digest of the uncompressed tar, the bytes of the blob, its size, that it is not there, or that it is named twice. */
  readonly wrong?: 'diffID' | 'blob' | 'size' | 'hugeSize' | 'missing' | 'twice';
}

/** Writes an archive of cache mounts as somebody else might. Every document in it is well formed. */
export async function forgeCache(path: string, mounts: readonly ForgedMount[]): Promise<void> {
  const blobs = new Map<Digest, Buffer>();
  const forged = mounts.map(({ id, tar, wrong }): ArtifactMount => {
    const bytes = gzipSync(tar);
    const digest = digestOf(bytes);
    if (wrong !== 'missing') blobs.set(digest, wrong === 'blob' ? Buffer.alloc(bytes.length, 1) : bytes);
    const diffID = digestOf(wrong === 'diffID' ? 'another' : tar) as string as DiffID;
    const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
    const size = wrong === 'hugeSize' ? Number.MAX_SAFE_INTEGER : bytes.length + (wrong === 'size' ? 1 : 0);
    const layer = { diffID, descriptor: { mediaType, digest, size } };
    return { id, layers: wrong === 'twice' ? [layer, layer] : [layer] };
  });
  const { manifest, config } = encodeArtifact(forged);
  for (const { descriptor, bytes } of [manifest, config]) blobs.set(descriptor.digest, bytes);
  const index = { schemaVersion: 2, manifests: [manifest.descriptor] };
  const files = [...blobs].map(([digest, bytes]) => ({ name: `blobs/sha256/${hexOf(digest)}`, text: bytes }));
  const archive = await tarOf(
    { name: 'index.json', text: JSON.stringify(index) },
    ...(files as unknown as { name: string; text: string }[]),
  );
  await writeFile(path, archive);
}
