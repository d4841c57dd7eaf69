import { chainID } from '../oci/chain-id.ts';
import { type ChainID, type DiffID, isDigest } from '../oci/digest.ts';
import type { Chain, LayerRef, Source } from '../worker/protocol.ts';

/** What a vertex gives: a filesystem, or (contexts, heredocs) something that can only be copied from. */
export type Result = Filesystem | SourceResult;

export interface SourceResult {
  readonly kind: 'source';
  readonly source: Source;
  /** Sees to it that the worker has the files: those of a remote are fetched when somebody wants them. */
  readonly ready?: (signal: AbortSignal) => Promise<void>;
}

/** A stack of layers, linked: a Dockerfile may have thousands of steps, and what one of them costs must not grow with those before it. */
export interface Filesystem {
  readonly kind: 'filesystem';
  /** Its own, base first, on those of what it was stacked on. */
  readonly own: readonly Layer[];
  readonly below?: Filesystem;
}

/** The tar of no entries at all: two blocks of zeros. Such a layer is not mounted. */
export const emptyDiffID = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef' as DiffID;

/** The same, compressed as BuildKit and many others do it: nearly every registry has this blob. */
export const emptyBlob: Buffer = Buffer.from('1f8b08000000000000ff621805a360148c5800080000ffff2eafb5ef00040000', 'hex');

/** One layer of a result: a snapshot of this session first, and its diffID from the moment that it is packed. */
export class Layer {
  #ref: LayerRef;
  /** Fulfilled when the layer has its diffID. */
  packed: Promise<void> = Promise.resolve();

  constructor(ref: LayerRef) {
    this.#ref = ref;
  }

  get ref(): LayerRef {
    return this.#ref;
  }

  /** Throws where it is not packed yet: that is a defect of ours. */
  get diffID(): DiffID {
    if (!isDigest(this.#ref)) throw new Error(`${this.#ref} is not packed yet`);
    return this.#ref as DiffID;
  }

  commit(diffID: DiffID): void {
    this.#ref = diffID;
  }
}

export const scratch: Filesystem = { kind: 'filesystem', own: [] };

/** A filesystem with these layers more. */
export const stack = (parent: Filesystem, ...layers: readonly Layer[]): Filesystem => ({
  kind: 'filesystem',
  own: layers,
  below: parent,
});

/** All layers, base first. */
export function layersOf(filesystem: Filesystem): readonly Layer[] {
  const layers: Layer[] = [];
  for (let at: Filesystem | undefined = filesystem; at; at = at.below) layers.push(...at.own.toReversed());
  return layers.reverse();
}

/** The layer with so many others on it; undefined where there are fewer. */
export function layerUnder(filesystem: Filesystem, others: number): Layer | undefined {
  let left = others;
  for (let at: Filesystem | undefined = filesystem; at; at = at.below) {
    if (left < at.own.length) return at.own[at.own.length - 1 - left];
    left -= at.own.length;
  }
  return undefined;
}

/** The layers as the worker takes them. Empty ones are left out, so that chains with and without them are one. */
export const chainOf = (filesystem: Filesystem): Chain => chainOfLayers(layersOf(filesystem));

export const chainOfLayers = (layers: readonly Layer[]): Chain => layers.map((layer) => layer.ref).filter((ref) => ref !== emptyDiffID);

const packings = new WeakMap<Filesystem, Promise<unknown>>();

/** Waits until every layer has its diffID. */
export async function allPacked(filesystem: Filesystem): Promise<void> {
  await fold(filesystem, packings, undefined, (below: Promise<unknown> | undefined, { own }) => {
    const packing = Promise.all([below, ...own.map((layer) => layer.packed)]);
    // Whoever waits for it gets the failure; nobody may.
    packing.catch(() => {});
    return packing;
  });
}

const names = new WeakMap<Filesystem, ChainID | 'scratch'>();

/** The name of a packed filesystem. */
export const nameOf = (filesystem: Filesystem): ChainID | 'scratch' =>
  fold(filesystem, names, 'scratch', (below: ChainID | 'scratch', { own }) => {
    let name = below;
    for (const { diffID } of own) {
      if (diffID !== emptyDiffID) name = name === 'scratch' ? chainID([diffID]) : chainID([name as string as DiffID, diffID]);
    }
    return name;
  });

/** What is made of the same of the one below, for each once. */
function fold<Made>(
  filesystem: Filesystem,
  known: WeakMap<Filesystem, Made>,
  ofNothing: Made | undefined,
  make: (below: Made, filesystem: Filesystem) => Made,
): Made {
  const todo: Filesystem[] = [];
  let at: Filesystem | undefined = filesystem;
  for (; at && !known.has(at); at = at.below) todo.push(at);
  let made = (at ? known.get(at) : ofNothing) as Made;
  for (const each of todo.reverse()) {
    made = make(made, each);
    known.set(each, made);
  }
  return made;
}

/** A vertex's input that must be a filesystem; anything else is a defect of the planner. */
export function asFilesystem(result: Result | undefined): Filesystem {
  if (result?.kind !== 'filesystem') throw new Error('this input has no filesystem');
  return result;
}

/** What can be copied from, with its files fetched where they are of a remote. */
export async function readySource(result: Result | undefined, signal: AbortSignal): Promise<Source> {
  if (result?.kind === 'source') await result.ready?.(signal);
  return sourceOf(result);
}

/** What can be copied from: a context, heredocs, or a filesystem. */
export function sourceOf(result: Result | undefined): Source {
  if (!result) throw new Error('an input is missing');
  return result.kind === 'source' ? result.source : { kind: 'chain', chain: chainOf(result) };
}
