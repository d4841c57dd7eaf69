import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

// Reads images of a store as anyone can who knows the OCI layout: not by our own code.

/** The digests of an image's layers, base first. */
export async function layerDigests(root: string, manifest: string): Promise<readonly string[]> {
  const { layers } = (await documentOf(root, manifest)) as { layers: { digest: string }[] };
  return layers.map(({ digest }) => digest);
}

/** A JSON document among the blobs. */
export async function documentOf(root: string, digest: string): Promise<unknown> {
  return JSON.parse(await readFile(join(root, 'blobs', digest.replace(':', '/')), 'utf8'));
}
