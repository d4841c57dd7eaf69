import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

// Reads images of a store as anyone can who knows the OCI layout: not by our own code.

/** The digests of an image's layers, base first. */
export async function layerDigests(root: string, manifest: string): Promise<readonly string[]> {
  const bytes = await readFile(join(root, 'blobs', manifest.replace(':', '/')), 'utf8');
  const { layers } = JSON.parse(bytes) as { layers: { digest: string }[] };
  return layers.map(({ digest }) => digest);
}
