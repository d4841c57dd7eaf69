import type { MkdirSpec, Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import { type Field, field, makeKey } from '../solve/key.ts';
import type { Op } from '../solve/op.ts';
import { contentOf, sameContent } from './content.ts';
import type { ExecuteContext } from './context.ts';
import { asFilesystem, chainOf, type Result } from './filesystem.ts';
import { keepLayer } from './keep-layer.ts';
import { namesSomeone } from './owner.ts';

/** WORKDIR. */
export function mkdirOp(vertex: Vertex<Spec>, spec: MkdirSpec, context: ExecuteContext): Op<Result> {
  const own: readonly Field[] = [
    field('kind', spec.kind),
    field('path', spec.path),
    field('user', spec.user),
    field('epoch', spec.epoch ?? null),
  ];
  return {
    limit: 'transfer',
    cacheable: true,
    definitionKey: async (inputs) =>
      makeKey(
        own,
        inputs.map((parent) => ['parent', parent.digest]),
      ),
    contentKey: async ([parent], signal) => makeKey(own, [['parent content', await contentOf(asFilesystem(parent), context, signal)]]),
    async run([parent], { signal }) {
      const filesystem = asFilesystem(parent);
      const chain = chainOf(filesystem);
      await context.layers.ensureIndexes(chain, signal);
      if (namesSomeone(spec.user)) await context.layers.ensureSnapshots(chain, signal);
      const { usage, worker } = context;
      const params = {
        parent: chain,
        path: spec.path,
        user: spec.user,
        ...(spec.epoch !== undefined && { epochSeconds: spec.epoch }),
        form: usage.form(vertex),
        snapshot: usage.onDisk(vertex),
      };
      return keepLayer(filesystem, await worker.call('file.mkdir', params, { signal }), context);
    },
    same: (older, made, signal) => sameContent(asFilesystem(older), asFilesystem(made), context, signal),
  };
}
