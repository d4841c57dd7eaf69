import type { CopySpec, Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import { inputAt } from '../graph/vertex.ts';
import { type Field, field, type Key, makeKey } from '../solve/key.ts';
import type { Op, Outcome } from '../solve/op.ts';
import type { Selection, Source, WorkerEvent } from '../worker/protocol.ts';
import { contentOf, contentOfSelection, sameContent } from './content.ts';
import type { ExecuteContext } from './context.ts';
import { copySourceError } from './copy-source-error.ts';
import { asFilesystem, chainOf, type Result, readySource } from './filesystem.ts';
import { keepLayer } from './keep-layer.ts';
import { namesSomeone } from './owner.ts';
import { requireSent } from './sent-paths.ts';
import { looseSource } from './source-ops.ts';

/** COPY and ADD. */
export function copyOp(vertex: Vertex<Spec>, spec: CopySpec, context: ExecuteContext): Op<Result> {
  const own = copyFields(spec);
  const loose = spec.parts.map(({ input }) => looseSource(inputAt(vertex, input), context));
  // What is selected from contexts: digested once, for both keys.
  const looseFields: Field[] = [];
  const select = async (part: number, source: Source, signal: AbortSignal): Promise<Field> => {
    const digest = await contentOfSelection(selectionOf(spec, part, source), context, signal).catch((error) => {
      throw copySourceError(error, { vertex, spec, part }, context);
    });
    return [selectedField(part), digest];
  };
  const definitionOf = async (part: number, key: Key | undefined, signal: AbortSignal): Promise<Field> => {
    const source = loose[part];
    if (!source) return [numbered('source', part), key?.digest ?? missing()];
    const field = await select(part, source, signal);
    await requireSent(vertex, spec, part, context, signal);
    looseFields[part] = field;
    return field;
  };

  return {
    limit: 'transfer',
    cacheable: true,
    async definitionKey(inputs, signal) {
      const fields = await Promise.all(spec.parts.map(({ input }, part) => definitionOf(part, inputs[input], signal)));
      return makeKey(own, [...below(spec, 'parent', inputs[0]?.digest), ...fields]);
    },
    async contentKey(inputs, signal) {
      const content = isLinked(spec) ? undefined : await contentOf(asFilesystem(inputs[0]), context, signal);
      const fields = spec.parts.map(
        async ({ input }, part) => looseFields[part] ?? (await select(part, await readySource(inputs[input], signal), signal)),
      );
      return makeKey(own, [...below(spec, 'parent content', content), ...(await Promise.all(fields))]);
    },
    async run(inputs, { signal, key }) {
      const outcome = await copy(vertex, spec, context, inputs, signal);
      const changed = outcome.selected.filter(([, digest], part) => looseFields[part] && looseFields[part][1] !== digest);
      if (changed.length === 0) return outcome;
      // A file changed under our hands: what was copied is what is recorded.
      context.onWarning(`the build context changed while "${vertex.name}" copied it`);
      for (const [part, field] of outcome.selected.entries()) if (looseFields[part]) looseFields[part] = field;
      const now = new Map(changed);
      const fields = key.fields.slice(own.length).map(([name, value]): Field => [name, now.get(name) ?? value]);
      return { ...outcome, key: makeKey(own, fields) };
    },
    // Heredocs have the time of the build; all other files bring their own.
    ...(loose.some((source) => source?.kind === 'inline') && {
      same: (older: Result, made: Result, signal: AbortSignal) => sameContent(asFilesystem(older), asFilesystem(made), context, signal),
    }),
  };
}

async function copy(
  vertex: Vertex<Spec>,
  spec: CopySpec,
  context: ExecuteContext,
  inputs: readonly Result[],
  signal: AbortSignal,
): Promise<Outcome<Result> & { selected: readonly Field[] }> {
  const { worker, layers, usage } = context;
  const filesystem = asFilesystem(inputs[0]);
  const chain = chainOf(filesystem);
  await layers.ensureIndexes(chain, signal);
  if (namesSomeone(spec.chown)) await layers.ensureSnapshots(chain, signal);
  const sources = await Promise.all(spec.parts.map(({ input }) => readySource(inputs[input], signal)));
  await Promise.all(sources.map((source) => source.kind === 'chain' && layers.ensureSnapshots(source.chain, signal)));
  const params = {
    parent: chain,
    selections: sources.map((source, part) => selectionOf(spec, part, source)),
    destination: spec.destination,
    attributes: { ...(spec.chown !== undefined && { chown: spec.chown }), ...(spec.chmod !== undefined && { chmod: spec.chmod }) },
    link: spec.link,
    ...(spec.epoch !== undefined && { epochSeconds: spec.epoch }),
    form: usage.form(vertex),
    snapshot: usage.onDisk(vertex),
  };
  const onEvent = (event: WorkerEvent) => event.type === 'warning' && context.onWarning(event.message);
  const { selected, ...packed } = await worker.call('file.copy', params, { signal, onEvent }).catch((error) => {
    throw copySourceError(error, { vertex, spec }, context);
  });
  const fields = selected.map((digest, part): Field => [selectedField(part), digest]);
  return { ...(await keepLayer(filesystem, packed, context)), selected: fields };
}

function selectionOf({ parts, exclude }: CopySpec, part: number, source: Source): Selection {
  const { sources, parents, unpack } = parts[part] ?? missing();
  return { source, sources, exclude, parents, unpack };
}

/** The name of the field that tells what was copied: exactly the selected files of a part. */
const selectedField = (part: number): string => numbered('selected files', part);

const numbered = (name: string, part: number): string => (part === 0 ? name : `${name} ${part + 1}`);

/** With --chmod BuildKit copies as if --link were not there. */
const isLinked = ({ link, chmod }: CopySpec): boolean => link && chmod === undefined;

/** With --link the layer stands on nothing, so what is below does not matter. */
const below = (spec: CopySpec, name: string, digest: Field[1] | undefined): readonly Field[] =>
  isLinked(spec) ? [] : [[name, digest ?? missing()]];

const missing = (): never => {
  throw new Error('an input of a copy is missing');
};

/**
 * What enters the key of a COPY, besides its parent and what it selects. The names in --chown are resolved in the parent, which
 * is in the key too. The instruction's name, its line and its text are left out: they don't change what is copied.
 */
const copyFields = (spec: CopySpec): readonly Field[] => [
  field('kind', spec.kind),
  field(
    'sources',
    spec.parts.map(({ sources, parents, unpack }) => ({ sources, parents, unpack })),
  ),
  field('destination', spec.destination),
  field('exclude', spec.exclude),
  field('--chown', spec.chown ?? null),
  field('--chmod', spec.chmod ?? null),
  field('--link', spec.link),
  field('epoch', spec.epoch ?? null),
];
