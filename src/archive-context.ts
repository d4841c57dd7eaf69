import { createWriteStream } from 'node:fs';
import { link } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BuildError } from './diagnostics/build-error.ts';
import type { ImageSpec, Spec } from './graph/spec.ts';
import { type Vertex, vertex } from './graph/vertex.ts';
import { mediaTypes } from './oci/media-types.ts';
import type { Tools } from './workbench.ts';
import type { Selection, Source } from './worker/protocol.ts';

/** The name of the archive while it is unpacked: what is still called so afterwards was not unpacked. */
const archiveName = '.cooper-context-archive';

/** The files of an archive: a filesystem of one layer, with the owners that the archive has. */
export interface UnpackedArchive {
  readonly vertex: Vertex<Spec>;
  readonly source: Source;
}

/** Keeps a stream in a temporary folder, and unpacks it. Throws CONTEXT_INVALID for what is no archive, or no whole one. */
export async function unpackStream(stream: AsyncIterable<Uint8Array>, tools: Tools, signal: AbortSignal): Promise<UnpackedArchive> {
  await using folder = await tools.store.fetched.temporary();
  await pipeline(Readable.from(stream, { objectMode: false }), createWriteStream(join(folder.path, archiveName)), { signal }).catch(
    (cause) => {
      signal.throwIfAborted();
      throw new BuildError('CONTEXT_INVALID', `the archive could not be read: ${(cause as Error).message}`, { cause });
    },
  );
  return await unpack(folder.path, tools, signal);
}

/** Unpacks a file of the store, which may itself hold one of the same name. Throws CONTEXT_INVALID. */
export async function unpackFile(path: string, tools: Tools, signal: AbortSignal): Promise<UnpackedArchive> {
  await using folder = await tools.store.fetched.temporary();
  await link(path, join(folder.path, archiveName));
  return await unpack(folder.path, tools, signal);
}

/** Unpacks the archive in a directory. */
async function unpack(directory: string, tools: Tools, signal: AbortSignal): Promise<UnpackedArchive> {
  const { worker, layers } = tools;
  const handle = `archive ${directory}`;
  await worker.call('handle.open', { handle, path: directory, access: 'read' }, { signal });
  const selection: Selection = {
    source: { kind: 'handle', handle, ignore: [] },
    sources: [archiveName],
    exclude: [],
    parents: false,
    unpack: true,
  };
  const params = {
    parent: [],
    selections: [selection],
    destination: '/',
    attributes: {},
    link: false,
    form: 'none',
    snapshot: true,
  } as const;
  const layer = await worker.call('file.copy', params, { signal }).catch((error) => {
    throw brokenArchive(error);
  });
  await layers.keep(layer);
  const source: Source = { kind: 'chain', chain: layer.entries === 0 ? [] : [layer.diffID] };
  const isStillOne = await worker.call(
    'tree.read',
    { source, path: `/${archiveName}`, maxBytes: Number.MAX_SAFE_INTEGER },
    { signal, onData: async () => {} },
  );
  if (isStillOne.found) throw brokenArchive(undefined);
  const { diffID, size } = layer;
  const descriptor = { mediaType: mediaTypes.layer, digest: diffID as string as typeof layer.diffID & ImageSpec['digest'], size };
  const spec: ImageSpec = { kind: 'image', reference: 'context', digest: descriptor.digest, layers: [{ descriptor, diffID }] };
  return { vertex: vertex<Spec>(spec, [], 'build context'), source };
}

function brokenArchive(cause: unknown): unknown {
  if (cause !== undefined && !(cause instanceof BuildError && cause.code === 'COPY_FAILED')) return cause;
  const why =
    cause instanceof BuildError ? cause.message.replace(/^"[^"]*" cannot be unpacked: /, '') : 'it holds no file, or is not whole';
  return new BuildError('CONTEXT_INVALID', `the archive of the build context cannot be unpacked: ${why}`, {
    hint: 'it is a tar, plain or compressed with gzip, bzip2, xz or zstd',
    cause,
  });
}
