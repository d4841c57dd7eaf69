import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { layerDigests } from './stored.ts';

/** One entry of a layer's tar, as anyone reads it who knows the format: not by our own code. */
export interface LayerEntry {
  /** Without `/` at the end. */
  readonly name: string;
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly linkname: string;
  /** Seconds since the epoch. */
  readonly mtime: number;
  readonly text: string;
  readonly sha256: string;
}

/** The entries of an image's last layer, by name. */
export async function lastLayer(root: string, manifest: string): Promise<ReadonlyMap<string, LayerEntry>> {
  const digest = (await layerDigests(root, manifest)).at(-1);
  if (!digest) throw new Error('the image has no layer');
  return layerEntries(root, digest);
}

/** The entries of one layer, by name, in their order. */
export async function layerEntries(root: string, digest: string): Promise<ReadonlyMap<string, LayerEntry>> {
  const entries = new Map<string, LayerEntry>();
  const tar = createReadStream(join(root, 'blobs', digest.replace(':', '/')))
    .pipe(createGunzip())
    .pipe(extract());
  for await (const entry of tar) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    const { name, type, mode, uid, gid, linkname, mtime } = entry.header;
    const bytes = Buffer.concat(chunks);
    entries.set(name.replace(/\/$/, ''), {
      name: name.replace(/\/$/, ''),
      type: type ?? '',
      mode: mode ?? 0,
      uid: uid ?? 0,
      gid: gid ?? 0,
      linkname: linkname ?? '',
      mtime: (mtime?.getTime() ?? 0) / 1000,
      text: bytes.toString(),
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });
  }
  return entries;
}
