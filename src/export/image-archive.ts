import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';
import { BuildError } from '../diagnostics/build-error.ts';
import { encodeIndex } from '../image/encode.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, hexOf } from '../oci/digest.ts';
import { mediaTypes } from '../oci/media-types.ts';
import { documentKind, maxDocumentBytes, parseManifest } from '../oci/parse.ts';
import { familiarReference, parseReference } from '../oci/reference.ts';
import type { BlobSource } from '../store/blob-store.ts';
import { imageBlobs } from '../store/image-blobs.ts';
import { nameAnnotations, ociLayout } from '../store/layout.ts';
import { writeArchive } from './destination.ts';

export interface ArchiveOptions {
  readonly blobs: BlobSource;
  readonly image: Descriptor;
  /** Full references that the archive gives the image. */
  readonly names: readonly string[];
  /** An absolute path, or an open stream. */
  readonly destination: string | Writable;
  readonly signal?: AbortSignal;
}

/** Writes an OCI layout as a tar: what `skopeo` calls oci-archive. The same image and names give the same bytes. */
export async function exportOCI(options: ArchiveOptions): Promise<void> {
  await exportArchive(options, []);
}

/**
 * Writes what `docker load` and `skopeo` (docker-archive) read: an OCI layout, as Docker itself has written it since 25.0, with the
 * manifest.json that older readers look for. One platform only.
 */
export async function exportDocker(options: ArchiveOptions): Promise<void> {
  const { blobs, image, names } = options;
  if (documentKind(image.mediaType) !== 'manifest') {
    const hint = 'choose one with --platform, or use type=oci';
    throw new BuildError('EXPORT_FAILED', 'a docker archive has one platform, this image has several', { hint });
  }
  const manifest = parseManifest(await blobs.readBytes(image.digest, maxDocumentBytes));
  const entry = {
    Config: blobPath(manifest.config.digest),
    RepoTags: names.map((name) => familiarReference(parseReference(name))),
    Layers: manifest.layers.map(({ digest }) => blobPath(digest)),
  };
  await exportArchive(options, [{ name: 'manifest.json', content: JSON.stringify([entry]) }]);
}

interface ArchiveFile {
  readonly name: string;
  readonly content: string | Buffer;
}

async function exportArchive({ blobs, image, names, destination, signal }: ArchiveOptions, more: readonly ArchiveFile[]): Promise<void> {
  const all = await imageBlobs(blobs, image);
  const unique = [...new Map(all.map((blob) => [blob.digest, blob])).values()].sort((a, b) => (a.digest < b.digest ? -1 : 1));
  const files = [{ name: 'oci-layout', content: ociLayout }, { name: 'index.json', content: indexOf(image, names) }, ...more];
  const archive = pack();
  // Side by side: the archive is read as it is written. Where one ends badly it takes the other with it, and what went wrong first counts.
  archive.on('error', () => {}); // Both sides below report it.
  const failed = (error: Error): never => {
    archive.destroy(error);
    throw error;
  };
  const writing = writeArchive(archive, destination, signal).catch(failed);
  const filling = fill(archive, files, unique, blobs).catch(failed);
  const results = await Promise.allSettled([filling, writing]);
  const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  if (reasons.length > 0) throw reasons.find((reason) => reason instanceof BuildError) ?? signal?.reason ?? reasons[0];
}

async function fill(archive: Pack, files: readonly ArchiveFile[], blobs: readonly Descriptor[], source: BlobSource): Promise<void> {
  for (const { name, content } of files) archive.entry({ ...attributes, name }, content);
  for (const name of ['blobs/', 'blobs/sha256/']) archive.entry({ name, type: 'directory', mode: 0o755, mtime });
  for (const blob of blobs) {
    await pipeline(source.read(blob), archive.entry({ ...attributes, name: blobPath(blob.digest), size: blob.size }));
  }
  archive.finalize();
}

const mtime = new Date(0);
const attributes = { mode: 0o644, mtime };
const blobPath = (digest: Digest): string => `blobs/sha256/${hexOf(digest)}`;

/** One entry for each name; without names one that is found by being the only one. In an archive the short name is the tag, as BuildKit writes it. */
function indexOf(image: Descriptor, names: readonly string[]): Buffer {
  const entries = names.map((name) => ({
    ...image,
    annotations: { ...image.annotations, ...nameAnnotations(parseReference(name).tag ?? name, name) },
  }));
  return encodeIndex({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: entries.length > 0 ? entries : [image] });
}
