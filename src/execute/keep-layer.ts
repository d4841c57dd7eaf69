import type { Outcome } from '../solve/op.ts';
import type { PackedLayer } from '../worker/protocol.ts';
import type { ExecuteContext } from './context.ts';
import { type Filesystem, Layer, type Result, stack } from './filesystem.ts';

/** The result of a step that packed its layer at once. */
export async function keepLayer(below: Filesystem, packed: PackedLayer, { layers }: ExecuteContext): Promise<Outcome<Result>> {
  await layers.keep(packed);
  const result = stack(below, new Layer(packed.diffID));
  return { result, committed: Promise.resolve(result) };
}
