import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { BuildError } from '../diagnostics/build-error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { ImageConfig } from '../oci/image-config.ts';
import { compressionOf } from '../oci/media-types.ts';
import { documentKind, maxDocumentBytes, parseImageConfig, parseIndex, parseManifest } from '../oci/parse.ts';
import type { Expected } from '../oci/verify.ts';

/** Where the blobs of an image are: a store, or anything that reads blobs with a check of their digest and size. */
export interface ImageSource {
  read(blob: Expected): Readable;
  readBytes(digest: Digest, limit: number): Promise<Buffer>;
}

/**
 * Recomputes all that an image says of itself: the digest and size of every blob, each layer's diffID, the number of layers and history
 * rows. Gives what is wrong, one sentence each; an image without problems has none.
 */
export async function validateImage(source: ImageSource, image: Descriptor): Promise<string[]> {
  const kind = documentKind(image.mediaType);
  if (!kind) return [`"${image.digest}" is of type "${image.mediaType}", which is no image's`];
  return collecting(async () => {
    const bytes = await source.readBytes(image.digest, maxDocumentBytes);
    const size = bytes.length === image.size ? [] : [`"${image.digest}" has ${bytes.length} bytes, its descriptor says ${image.size}`];
    if (kind === 'manifest') return [...size, ...(await validateManifest(source, bytes))];
    const parts = await Promise.all(parseIndex(bytes).manifests.map((part) => validatePart(source, part)));
    return [...size, ...parts.flat()];
  });
}

/** An index in an index is allowed by the specification, and read by nobody; it would let this go on for ever. */
async function validatePart(source: ImageSource, part: Descriptor): Promise<string[]> {
  if (documentKind(part.mediaType) !== 'manifest') return [`the index names "${part.digest}" of type "${part.mediaType}"`];
  return validateImage(source, part);
}

async function validateManifest(source: ImageSource, bytes: Uint8Array): Promise<string[]> {
  const manifest = parseManifest(bytes);
  const configBytes = await source.readBytes(manifest.config.digest, maxDocumentBytes);
  const config = parseImageConfig(configBytes);
  const problems = validateHistory(config);
  if (configBytes.length !== manifest.config.size)
    problems.push(`the config has ${configBytes.length} bytes, expected ${manifest.config.size}`);
  const { diff_ids: diffIDs } = config.rootfs;
  if (manifest.layers.length !== diffIDs.length) {
    problems.push(`the manifest has ${manifest.layers.length} layers, the config ${diffIDs.length} diffIDs`);
  }
  for (const [at, layer] of manifest.layers.entries()) {
    problems.push(...(await collecting(() => validateLayer(source, layer, diffIDs[at]))));
  }
  return problems;
}

function validateHistory({ history, rootfs }: ImageConfig): string[] {
  if (!history) return [];
  const rows = history.filter((row) => !row.empty_layer).length;
  const layers = rootfs.diff_ids.length;
  const problems = rows === layers ? [] : [`the history has ${rows} rows with a layer, the image has ${layers} layers`];
  const untimed = history.flatMap((row, at) => (row.created !== undefined && Number.isNaN(Date.parse(row.created)) ? [at] : []));
  return [...problems, ...untimed.map((at) => `history row ${at} has no valid time`)];
}

/** Reads the layer through, which checks digest and size of the blob, and digests what comes out of it. */
async function validateLayer(source: ImageSource, layer: Descriptor, diffID: string | undefined): Promise<string[]> {
  const compression = compressionOf(layer.mediaType);
  if (!compression) return [`layer "${layer.digest}" is of type "${layer.mediaType}", which is no layer's`];
  const hash = createHash('sha256');
  const blob = source.read(layer);
  if (compression === 'gzip') await pipeline(blob, createGunzip(), hash);
  else if (compression === 'zstd') await pipeline(blob, createZstdDecompress(), hash);
  else await pipeline(blob, hash);
  const found = `sha256:${hash.digest('hex')}`;
  return diffID === undefined || found === diffID ? [] : [`layer "${layer.digest}" has the diffID "${found}", the config says "${diffID}"`];
}

/** What is wrong with the image is a result here; what is wrong with the store, or with us, is still thrown. */
async function collecting(check: () => Promise<string[]>): Promise<string[]> {
  try {
    return await check();
  } catch (error) {
    if (error instanceof BuildError && error.code === 'IMAGE_INVALID') return [error.message];
    if (error instanceof Error && 'code' in error && /^(Z_|ZSTD_|ERR_ZSTD)/.test(String(error.code)))
      return [`a layer is not compressed as it says: ${error.message}`];
    throw error;
  }
}
