import type { Descriptor } from '../oci/descriptor.ts';
import { type DiffID, type Digest, isDigest } from '../oci/digest.ts';
import { mediaTypes } from '../oci/media-types.ts';
import type { LayerFacts } from '../store/layer-facts.ts';
import type { Store } from '../store/store.ts';
import type { Chain, PackedLayer } from '../worker/protocol.ts';
import type { Worker } from '../worker/worker.ts';
import { emptyBlob, emptyDiffID } from './filesystem.ts';

/** Layers of a base image, and how their blobs come into the store when something needs them. */
export interface ForeignLayers {
  readonly layers: readonly { readonly descriptor: Descriptor; readonly diffID: DiffID }[];
  fetch(signal: AbortSignal): Promise<void>;
}

interface Foreign {
  readonly descriptor: Descriptor;
  readonly origin: ForeignLayers;
}

/** Knows where the bytes of every layer are, and makes them be where a step needs them: as late as possible, each once. */
export class LayerProvider {
  readonly #store: Store;
  readonly #worker: Worker;
  readonly #foreign = new Map<DiffID, Foreign>();
  readonly #fetched = new Map<ForeignLayers, Promise<void>>();
  /** As this session has read or written them: a step asks for them several times, and what others add meanwhile is not needed. */
  readonly #facts = new Map<DiffID, LayerFacts>();
  readonly #indexed = new Set<DiffID>();
  readonly #unpacked = new Set<DiffID>();
  /** Keyed digests of the secrets that new layers are searched for. */
  #searchedFor: readonly Digest[] = [];
  /** The end of the last request for chains on the same base. */
  readonly #turns = new Map<DiffID | undefined, Promise<unknown>>();

  constructor(store: Store, worker: Worker) {
    this.#store = store;
    this.#worker = worker;
  }

  /** Makes a base image's layers known. Fetches nothing. */
  addForeign(origin: ForeignLayers): void {
    for (const { descriptor, diffID } of origin.layers) this.#foreign.set(diffID, { descriptor, origin });
  }

  /** Whether a layer of an earlier build can still be used: its facts and its index are there, and its blob or a snapshot. */
  async available(diffID: DiffID): Promise<LayerFacts | undefined> {
    const facts = await this.facts(diffID);
    if (!facts || diffID === emptyDiffID) return facts;
    const [state] = (await this.#worker.call('tree.stat', { layers: [diffID] })).layers;
    if (!state?.index) return undefined;
    this.#indexed.add(diffID);
    if (state.snapshot) this.#unpacked.add(diffID);
    return state.snapshot || (await this.#blobInStore(facts)) ? facts : undefined;
  }

  /** Keeps the facts of a layer that was just made, joined with the older ones where it was made before. */
  async keep(packed: PackedLayer & { readonly reused?: boolean }): Promise<LayerFacts> {
    const { diffID, size, entries, blob } = packed;
    const created = new Date().toISOString();
    const searched = packed.reused || this.#searchedFor.length === 0 ? {} : { searched: this.#searchedFor };
    this.#indexed.add(diffID);
    return this.#putFacts({ diffID, size, entries, created, blobs: blob ? [blob] : [], ...searched });
  }

  /** What is known of a layer that a step made, in this build or in an older one. */
  async facts(diffID: DiffID): Promise<LayerFacts | undefined> {
    const facts = this.#facts.get(diffID) ?? (await this.#store.layers.get(diffID));
    if (facts) this.#facts.set(diffID, facts);
    return facts;
  }

  /** The worker has just put a snapshot of this layer into the store, or found one there. */
  addSnapshot(diffID: DiffID): void {
    this.#unpacked.add(diffID);
  }

  /** Layers that are made from now on are searched for these secrets. */
  searchFor(secrets: readonly Digest[]): void {
    this.#searchedFor = secrets;
  }

  /** A layer that may go into an image, with its gzip form: made by a build that did not know all secrets, it is searched now. Throws SECRET_LEAKED. */
  async ensureClean(diffID: DiffID, descriptor: Descriptor, signal: AbortSignal): Promise<void> {
    const facts = await this.facts(diffID);
    if (diffID === emptyDiffID || !facts || this.#searchedFor.every((secret) => facts.searched?.includes(secret))) return;
    await this.#worker.call('layer.search', { layer: { diffID, descriptor } }, { signal });
    await this.#putFacts({ ...facts, searched: this.#searchedFor });
  }

  /** Makes sure that all layers of a chain are on disk. */
  ensureSnapshots(chain: Chain, signal: AbortSignal): Promise<void> {
    return this.#ensure(chain, this.#unpacked, 'snapshot', 'layer.unpack', signal);
  }

  /** Makes sure that the worker can look into all layers of a chain without unpacking them. */
  ensureIndexes(chain: Chain, signal: AbortSignal): Promise<void> {
    return this.#ensure(chain, this.#indexed, 'index', 'layer.index', signal);
  }

  /** The gzip form of a layer, for an image: fetched or compressed where it is not in the store yet. */
  async ensureBlob(diffID: DiffID, signal: AbortSignal): Promise<Descriptor> {
    const foreign = this.#foreign.get(diffID);
    if (foreign) {
      await this.#fetch(foreign.origin, signal);
      return foreign.descriptor;
    }
    if (diffID === emptyDiffID) return this.#store.blobs.put(emptyBlob, mediaTypes.layerGzip);
    const facts = await this.facts(diffID);
    const there = facts && (await this.#blobInStore(facts));
    if (there) return there;
    const { blob } = await this.#worker.call('layer.compress', { diffID, form: 'gzip' }, { signal });
    await this.keep({ diffID, size: facts?.size ?? 0, entries: facts?.entries ?? 1, blob });
    return blob;
  }

  async #ensure(
    chain: Chain,
    done: Set<DiffID>,
    part: 'snapshot' | 'index',
    method: 'layer.unpack' | 'layer.index',
    signal: AbortSignal,
  ): Promise<void> {
    // Most are done, and are asked for again by each step.
    if (chain.every((ref) => done.has(ref as DiffID) || !isDigest(ref))) return;
    const diffIDs = chain.filter((ref): ref is DiffID => isDigest(ref));
    // One at a time: steps that start together ask for the same base, and the second must find it done. Other bases don't wait.
    const before = this.#turns.get(diffIDs[0]);
    const turn = Promise.resolve(before).then(() => this.#ensureMissing(diffIDs, done, part, method, signal));
    this.#turns.set(
      diffIDs[0],
      turn.catch(() => {}),
    );
    await turn;
  }

  async #ensureMissing(
    diffIDs: readonly DiffID[],
    done: Set<DiffID>,
    part: 'snapshot' | 'index',
    method: 'layer.unpack' | 'layer.index',
    signal: AbortSignal,
  ): Promise<void> {
    if (diffIDs.every((diffID) => done.has(diffID))) return;
    const { layers: states } = await this.#worker.call('tree.stat', { layers: diffIDs }, { signal });
    if (states.some((state) => !state[part])) {
      // The whole chain in order: a layer may have to be applied on those below it. The worker skips what is there.
      const layers = await Promise.all(diffIDs.map((diffID, index) => this.#blobOf(diffID, states[index]?.[part] ?? false, signal)));
      await this.#worker.call(method, { layers: layers.filter((layer) => layer !== undefined) }, { signal });
    }
    for (const diffID of diffIDs) done.add(diffID);
  }

  async #blobOf(diffID: DiffID, optional: boolean, signal: AbortSignal): Promise<{ diffID: DiffID; descriptor: Descriptor } | undefined> {
    const foreign = this.#foreign.get(diffID);
    if (foreign) {
      if (!optional) await this.#fetch(foreign.origin, signal);
      return { diffID, descriptor: foreign.descriptor };
    }
    const facts = await this.facts(diffID);
    const descriptor = facts && (await this.#blobInStore(facts));
    if (!descriptor && !optional) throw new Error(`layer ${diffID} has neither a snapshot nor a blob`);
    return descriptor && { diffID, descriptor };
  }

  async #putFacts(facts: LayerFacts): Promise<LayerFacts> {
    const joined = await this.#store.layers.put(facts);
    this.#facts.set(facts.diffID, joined);
    return joined;
  }

  #fetch(origin: ForeignLayers, signal: AbortSignal): Promise<void> {
    const under = this.#fetched.get(origin) ?? origin.fetch(signal);
    this.#fetched.set(origin, under);
    // What failed, or was cancelled, may be tried again.
    under.catch(() => this.#fetched.delete(origin));
    return under;
  }

  async #blobInStore(facts: LayerFacts): Promise<Descriptor | undefined> {
    for (const blob of facts.blobs) if (await this.#store.blobs.has(blob.digest)) return blob;
    return undefined;
  }
}
