import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { mediaTypes } from '../oci/media-types.ts';
import type { Ref } from './ref-store.ts';
import { ifThere, storing } from './store-error.ts';
import type { TemporaryFiles } from './temporary-files.ts';

/** Content of the file `oci-layout`. Source: OCI image-spec, image-layout.md. */
export const ociLayout = '{"imageLayoutVersion":"1.0.0"}';

/** What an entry of index.json says of its name. skopeo looks images up by the first annotation, containerd names them by the second. */
export function nameAnnotations(refName: string, fullName: string): Record<string, string> {
  return { 'io.containerd.image.name': fullName, 'org.opencontainers.image.ref.name': refName };
}

/** Makes `oci-layout`, and an index.json without images, where they are missing. */
export async function initializeLayout(root: string, temporary: TemporaryFiles): Promise<void> {
  const isThere = async (name: string) => (await storing('look at its layout', () => ifThere(stat(join(root, name))))) !== undefined;
  if (!(await isThere('oci-layout'))) await temporary.write(join(root, 'oci-layout'), ociLayout, { sync: false });
  // Never over one that is there: another process may just have written it.
  if (!(await isThere('index.json'))) await temporary.writeNew(join(root, 'index.json'), renderIndex([]));
}

/** Derives index.json from the references. The caller holds lock `index`. */
export async function writeIndex(root: string, temporary: TemporaryFiles, refs: readonly Ref[]): Promise<void> {
  await temporary.write(join(root, 'index.json'), renderIndex(refs), { sync: true });
}

/** Tags alone would be ambiguous in a store of many images, so the full name is what readers look an image up by. */
function renderIndex(refs: readonly Ref[]): string {
  const manifests = refs.map(({ name, descriptor }) => ({
    mediaType: descriptor.mediaType,
    digest: descriptor.digest,
    size: descriptor.size,
    annotations: { ...descriptor.annotations, ...nameAnnotations(name, name) },
    ...(descriptor.platform && { platform: descriptor.platform }),
  }));
  return JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests });
}
