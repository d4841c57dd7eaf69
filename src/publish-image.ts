import { mkdir } from 'node:fs/promises';
import type { BuildOptions, OutputOption } from './build-options.ts';
import { BuildError } from './diagnostics/build-error.ts';
import type { ExecutedGraph } from './execute/execute-graph.ts';
import { formatReference, parseReference } from './oci/reference.ts';
import type { BuildEvent } from './progress/events.ts';
import { runTask } from './progress/run-task.ts';
import { pushImage } from './push.ts';
import type { Registry } from './registry/registry.ts';
import type { TransferEvent } from './registry/transfer.ts';
import type { Session } from './session.ts';
import type { StoredImage } from './store-image.ts';
import { taskOfTransfer } from './transfer-events.ts';

interface PublishOptions extends Pick<Session, 'worker' | 'store'> {
  readonly registry: Registry;
  readonly options: BuildOptions;
  /** Full references. */
  readonly names: readonly string[];
  readonly emit: (event: BuildEvent) => void;
}

/** The full references of what is built. Throws REFERENCE_INVALID, and ARG_INVALID for outputs that cannot be. */
export function imageNames({ tags = [], push = false, outputs = [], outputStream }: BuildOptions): readonly string[] {
  if (push && tags.length === 0) throw new BuildError('ARG_INVALID', 'an image without a tag cannot be pushed');
  if (outputs.some(({ destination }) => destination === '-') && !outputStream) {
    throw new BuildError('ARG_INVALID', 'an archive for "-" needs an output stream');
  }
  return tags.map((tag) => formatReference(parseReference(tag)));
}

/** What the outputs need of the result: compressed layers for an image, files on disk for a directory. */
export function wantedParts({ outputs = [], tags = [], push = false }: BuildOptions): { readonly image: boolean; readonly files: boolean } {
  const files = outputs.some(({ type }) => type === 'local');
  return { image: !files || outputs.some(({ type }) => type !== 'local') || tags.length > 0 || push, files };
}

/** Gives the image its names and takes it where the options say. */
export async function publishImage(image: StoredImage, graph: ExecutedGraph, context: PublishOptions, signal: AbortSignal): Promise<void> {
  const { options, store, names, emit } = context;
  for (const name of names) await store.refs.set(name, image.descriptor);
  for (const output of options.outputs ?? []) {
    await runTask({ id: `export to ${describe(output)}`, emit }, () => writeOutput(output, image, graph, context, signal), signal);
  }
  if (options.push) {
    const { registry } = context;
    const onTransfer = (event: TransferEvent) => emit(taskOfTransfer('push', event));
    for (const name of names) {
      const push = { store, registry, onTransfer, verdict: image.verdict };
      await runTask({ id: `push ${name}`, emit }, () => pushImage(image.descriptor, parseReference(name), push, signal), signal);
    }
  }
}

async function writeOutput(
  output: OutputOption,
  { descriptor }: StoredImage,
  { diffIDs }: ExecutedGraph,
  { store, worker, options, names }: PublishOptions,
  signal: AbortSignal,
): Promise<void> {
  if (output.type === 'local') {
    await makeDirectory(output.destination);
    await worker.call('handle.open', { handle: 'output', path: output.destination, access: 'write' }, { signal });
    await worker.call('tree.export', { chain: diffIDs, handle: 'output' }, { signal });
    return;
  }
  // Loaded only here: most builds write no archive.
  const { exportDocker, exportOCI } = await import('./export/image-archive.ts');
  const write = output.type === 'oci' ? exportOCI : exportDocker;
  const destination = output.destination === '-' ? options.outputStream : output.destination;
  if (!destination) throw new BuildError('ARG_INVALID', 'an archive for "-" needs an output stream');
  await write({ blobs: store.blobs, image: descriptor, names, destination, signal });
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    throw new BuildError('EXPORT_FAILED', `the directory "${path}" cannot be made: ${(cause as Error).message}`, { cause });
  }
}

const describe = ({ type, destination }: OutputOption): string => `${type} ${destination}`;
