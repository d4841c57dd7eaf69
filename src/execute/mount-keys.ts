import type { MountSpec, Spec } from '../graph/spec.ts';
import { inputAt, type Vertex } from '../graph/vertex.ts';
import { type Field, field, type Key } from '../solve/key.ts';
import type { Source } from '../worker/protocol.ts';
import { contentOfSelection, wholeOf } from './content.ts';
import type { ExecuteContext } from './context.ts';
import { type Result, readySource } from './filesystem.ts';
import { looseSource } from './source-ops.ts';

/** A mount that shows files of an input. */
type Showing = MountSpec & { readonly input: number; readonly source: string };

const showing = (mounts: readonly MountSpec[]): readonly Showing[] =>
  mounts.filter((mount): mount is Showing => (mount.type === 'bind' || mount.type === 'cache') && mount.input !== undefined);

/**
 * What of a mount is among the own fields of its RUN. Which cache it is, and how it is shared, is left out, as in BuildKit; so is where files
 * come from, as their content counts.
 */
export function mountField(mount: MountSpec): object {
  if (mount.type === 'bind') return { type: mount.type, target: mount.target, writable: mount.writable };
  if (mount.type !== 'cache') return mount;
  const { type, target, readonly, owner } = mount;
  return { type, target, readonly, ...(owner && { owner }) };
}

/** What mounts show, by the definitions of the inputs that they show; of a context by its content. */
export const mountDefinitions = (
  vertex: Vertex<Spec>,
  mounts: readonly MountSpec[],
  inputs: readonly Key[],
  context: ExecuteContext,
  signal: AbortSignal,
): Promise<readonly Field[]> =>
  Promise.all(
    showing(mounts).map(async (mount): Promise<Field> => {
      const loose = looseSource(inputAt(vertex, mount.input), context);
      if (loose) return contentField(mount, loose, context, signal);
      const input = inputs[mount.input];
      if (!input) throw new Error(`there is no input ${mount.input}`);
      return field(nameOf(mount), [input.digest, mount.source]);
    }),
  );

/** What mounts show, by content. */
export const mountContents = (
  mounts: readonly MountSpec[],
  inputs: readonly Result[],
  context: ExecuteContext,
  signal: AbortSignal,
): Promise<readonly Field[]> =>
  Promise.all(showing(mounts).map(async (mount) => contentField(mount, await readySource(inputs[mount.input], signal), context, signal)));

const contentField = async (mount: Showing, source: Source, context: ExecuteContext, signal: AbortSignal): Promise<Field> => [
  nameOf(mount),
  await contentOfSelection(wholeOf(source, mount.source), context, signal),
];

const nameOf = ({ target }: Showing): string => `mount ${target}`;
