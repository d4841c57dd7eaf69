import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { digestOf, hexOf, isDigest } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';

/** An entry of a layer, written as it stands: `../x`, a link to anywhere. */
export type Entry = Partial<Header> & { readonly name: string; readonly content?: string };

/** An image as its registry has it. Every part can be replaced by a lie before it is served. */
export interface Forged {
  /** By digest; what is served for it need not have it. */
  readonly blobs: Map<string, Buffer>;
  manifest: Record<string, unknown>;
  manifestType: string;
}

/** A registry with forged images, by the name of their repository; all tags are the same. */
export interface ForgedRegistry extends AsyncDisposable {
  readonly host: string;
  readonly images: Map<string, Forged>;
}

/** Makes an image of these layers, base first, each a list of entries or a whole blob. */
export async function forge(layers: readonly (readonly Entry[] | LayerBytes)[], config: Record<string, unknown> = {}): Promise<Forged> {
  const blobs = new Map<string, Buffer>();
  const put = (bytes: Buffer, mediaType: string): Record<string, unknown> => {
    blobs.set(digestOf(bytes), bytes);
    return { mediaType, digest: digestOf(bytes), size: bytes.length };
  };
  const packed = await Promise.all(layers.map(async (layer) => ('blob' in layer ? layer : packLayer(layer))));
  const path = 'PATH=/bin';
  const text = JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Env: [path], ...config },
    rootfs: { type: 'layers', diff_ids: packed.map(({ diffID }) => diffID) },
    history: packed.map(() => ({ created: '2024-01-02T03:04:05Z', created_by: 'forged' })),
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: put(Buffer.from(text), mediaTypes.config),
    layers: packed.map(({ blob }) => put(blob, mediaTypes.layerGzip)),
  };
  return { blobs, manifest, manifestType: mediaTypes.manifest };
}

/** A compressed layer, and the digest of what is in it. */
export interface LayerBytes {
  readonly blob: Buffer;
  readonly diffID: string;
}

/** Writes the descriptors of its layers in another way. */
export function changeLayers(image: Forged, how: (layer: Record<string, unknown>) => Record<string, unknown>): void {
  image.manifest = { ...image.manifest, layers: (image.manifest.layers as Record<string, unknown>[]).map(how) };
}

export async function packLayer(entries: readonly Entry[]): Promise<LayerBytes> {
  const archive = pack();
  for (const { content, ...headers } of entries) archive.entry({ mtime: new Date(0), ...headers }, content ?? '');
  archive.finalize();
  const tar = Buffer.concat(await Readable.from(archive).toArray());
  return { blob: gzipSync(tar, { level: 1 }), diffID: digestOf(tar) };
}

/** A layer with a shell: this machine's static busybox. */
export async function busyboxLayer(): Promise<LayerBytes> {
  const applets = execFileSync('busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n');
  const binary = readFileSync(execFileSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).trim());
  const archive = pack();
  archive.entry({ name: 'bin/busybox', mode: 0o755 }, binary);
  for (const name of applets.filter((each) => each !== 'busybox'))
    archive.entry({ name: `bin/${name}`, type: 'symlink', linkname: 'busybox' });
  archive.finalize();
  const tar = Buffer.concat(await Readable.from(archive).toArray());
  return { blob: gzipSync(tar, { level: 1 }), diffID: digestOf(tar) };
}

export async function startForgedRegistry(): Promise<ForgedRegistry> {
  const images = new Map<string, Forged>();
  const server = createServer((request, response) => {
    const [, name = '', kind, reference = ''] = (request.url ?? '').match(/^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/) ?? [];
    if (request.url === '/v2/') return void response.end('{}');
    const image = images.get(name);
    const body =
      kind === 'manifests' && image ? Buffer.from(JSON.stringify(image.manifest)) : image?.blobs.get(decodeURIComponent(reference));
    if (!image || !body) return void response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}');
    const type = kind === 'manifests' ? image.manifestType : 'application/octet-stream';
    response.writeHead(200, { 'content-type': type, 'content-length': body.length });
    response.end(request.method === 'HEAD' ? undefined : body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    host: `127.0.0.1:${address.port}`,
    images,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Puts a forged image into a directory, as an OCI layout with nothing else. */
export async function writeLayout(directory: string, { blobs, manifest, manifestType }: Forged): Promise<void> {
  await mkdir(join(directory, 'blobs/sha256'), { recursive: true });
  const bytes = Buffer.from(JSON.stringify(manifest));
  for (const [digest, blob] of [...blobs, [digestOf(bytes), bytes] as const]) {
    if (isDigest(digest)) await writeFile(join(directory, 'blobs/sha256', hexOf(digest)), blob);
  }
  const manifests = [{ mediaType: manifestType, digest: digestOf(bytes), size: bytes.length }];
  await writeFile(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
}
