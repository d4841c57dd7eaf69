import type { CopySpec, Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import { inputAt } from '../graph/vertex.ts';
import { type Field, field, makeKey } from '../solve/key.ts';
import type { Op, Outcome } from '../solve/op.ts';
import type { Selection, Source } from '../worker/protocol.ts';
import { contentOf, contentOfSelection, sameContent } from './content.ts';
import type { ExecuteContext } from './context.ts';
import { copySourceError } from './copy-source-error.ts';
import { asFilesystem, chainOf, type Result, readySource } from './filesystem.ts';
import { keepLayer } from './keep-layer.ts';
import { namesSomeone } from './owner.ts';
import { looseSource } from './source-ops.ts';

/** The name of the field that tells what was copied: exactly the selected files. */
const selectedField = 'selected files';

/** COPY and ADD. */
export function copyOp(vertex: Vertex<Spec>, spec: CopySpec, context: ExecuteContext): Op<Result> {
  const own = copyFields(spec);
  const loose = looseSource(inputAt(vertex, 1), context);
  const select = async (source: Source, signal: AbortSignal): Promise<Field> => {
    const digest = await contentOfSelection(selectionOf(spec, source), context, signal).catch((error) => {
      throw copySourceError(error, vertex, spec, context);
    });
    return [selectedField, digest];
  };
  // A context is digested once, for both keys.
  let looseField: Field | undefined;

  return {
    limit: 'transfer',
    cacheable: true,
    async definitionKey([parent, source], signal) {
      looseField = loose && (await select(loose, signal));
      return makeKey(own, [...below(spec, 'parent', parent?.digest), looseField ?? ['source', source?.digest ?? missing()]]);
    },
    async contentKey([parent, source], signal) {
      const content = spec.link ? undefined : await contentOf(asFilesystem(parent), context, signal);
      return makeKey(own, [
        ...below(spec, 'parent content', content),
        looseField ?? (await select(await readySource(source, signal), signal)),
      ]);
    },
    async run([parent, source], { signal, key }) {
      const outcome = await copy(vertex, spec, context, { parent, source: await readySource(source, signal) }, signal);
      if (!looseField || looseField[1] === outcome.selected[1]) return outcome;
      // A file changed under our hands: what was copied is what is recorded.
      context.onWarning(`the build context changed while "${vertex.name}" copied it`);
      looseField = outcome.selected;
      const inputs = key.fields.slice(own.length).map((each) => (each[0] === selectedField ? outcome.selected : each));
      return { ...outcome, key: makeKey(own, inputs) };
    },
    // Heredocs have the time of the build; all other files bring their own.
    ...(loose?.kind === 'inline' && {
      same: (older: Result, made: Result, signal: AbortSignal) => sameContent(asFilesystem(older), asFilesystem(made), context, signal),
    }),
  };
}

async function copy(
  vertex: Vertex<Spec>,
  spec: CopySpec,
  context: ExecuteContext,
  { parent, source }: { parent: Result | undefined; source: Source },
  signal: AbortSignal,
): Promise<Outcome<Result> & { selected: Field }> {
  const { worker, layers, usage } = context;
  const filesystem = asFilesystem(parent);
  const chain = chainOf(filesystem);
  await layers.ensureIndexes(chain, signal);
  if (namesSomeone(spec.chown)) await layers.ensureSnapshots(chain, signal);
  if (source.kind === 'chain') await layers.ensureSnapshots(source.chain, signal);
  const params = {
    parent: chain,
    selection: selectionOf(spec, source),
    destination: spec.destination,
    attributes: { ...(spec.chown !== undefined && { chown: spec.chown }), ...(spec.chmod !== undefined && { chmod: spec.chmod }) },
    link: spec.link,
    ...(spec.epoch !== undefined && { epochSeconds: spec.epoch }),
    form: usage.form(vertex),
    snapshot: usage.onDisk(vertex),
  };
  const packed = await worker.call('file.copy', params, { signal }).catch((error) => {
    throw copySourceError(error, vertex, spec, context);
  });
  return { ...(await keepLayer(filesystem, packed, context)), selected: [selectedField, packed.selected] };
}

const selectionOf = ({ sources, exclude, parents, unpack }: CopySpec, source: Source): Selection => ({
  source,
  sources,
  exclude,
  parents,
  unpack,
});

/** With --link the layer stands on nothing, so what is below does not matter. */
const below = (spec: CopySpec, name: string, digest: Field[1] | undefined): readonly Field[] =>
  spec.link ? [] : [[name, digest ?? missing()]];

const missing = (): never => {
  throw new Error('a copy has two inputs');
};

/**
 * What enters the key of a COPY, besides its parent and what it selects. The names in --chown are resolved in the parent, which
 * is in the key too. The instruction's name, its line and its text are left out: they don't change what is copied.
 */
const copyFields = (spec: CopySpec): readonly Field[] => [
  field('kind', spec.kind),
  field('sources', spec.sources),
  field('destination', spec.destination),
  field('exclude', spec.exclude),
  field('--chown', spec.chown ?? null),
  field('--chmod', spec.chmod ?? null),
  field('--link', spec.link),
  field('--parents', spec.parents),
  field('unpack', spec.unpack),
  field('epoch', spec.epoch ?? null),
];
