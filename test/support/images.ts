import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { type DiffID, digestOf } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import type { Platform } from '../../src/oci/platform.ts';
import type { Store } from '../../src/store/store.ts';

export interface TestLayer {
  readonly descriptor: Descriptor;
  readonly diffID: DiffID;
}

/** Puts a gzip layer with these files into the store. */
export async function putLayer(store: Store, files: Readonly<Record<string, string | Buffer>>): Promise<TestLayer> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) archive.entry({ name, mtime: new Date(0) }, content);
  archive.finalize();
  const tar = Buffer.concat(await Readable.from(archive).toArray());
  const descriptor = await store.blobs.put(gzipSync(tar), mediaTypes.layerGzip);
  return { descriptor, diffID: digestOf(tar) as string as DiffID };
}

export interface TestImageOptions {
  readonly platform?: Platform;
  readonly docker?: boolean;
}

/** Puts a whole image into the store: a layer for each element of `contents`, each with one file. Written by hand, not by our assembler. */
export async function putImage(
  store: Store,
  contents: readonly (string | Buffer)[],
  { platform = { os: 'linux', architecture: 'amd64' }, docker = false }: TestImageOptions = {},
): Promise<Descriptor> {
  const layers: TestLayer[] = [];
  for (const [at, content] of contents.entries()) layers.push(await putLayer(store, { [`file-${at}`]: content }));
  const config = {
    ...platform,
    config: { Cmd: ['/file-0'] },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffID }) => diffID) },
    history: layers.map((_, at) => ({ created: '2024-01-02T03:04:05Z', created_by: `layer ${at}` })),
  };
  const types = docker ? dockerTypes : ociTypes;
  const manifest = {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: await store.blobs.put(Buffer.from(JSON.stringify(config)), types.config),
    layers: layers.map(({ descriptor }) => ({ ...descriptor, mediaType: types.layer })),
  };
  return store.blobs.put(Buffer.from(JSON.stringify(manifest)), types.manifest);
}

const ociTypes = { manifest: mediaTypes.manifest, config: mediaTypes.config, layer: mediaTypes.layerGzip };
const dockerTypes = { manifest: mediaTypes.dockerManifest, config: mediaTypes.dockerConfig, layer: mediaTypes.dockerLayerGzip };
