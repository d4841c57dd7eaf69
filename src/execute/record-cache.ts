import { type Digest, digestOf } from '../oci/digest.ts';
import type { Key } from '../solve/key.ts';
import type { ResultCache } from '../solve/op.ts';
import type { CacheRecord } from '../store/cache-records.ts';
import type { Store } from '../store/store.ts';
import { asFilesystem, Layer, layerUnder, nameOf, type Result, stack } from './filesystem.ts';
import type { LayerProvider } from './layer-provider.ts';

/** The cache of one store: records that name the layer which a step put out. */
export class RecordCache implements ResultCache<Result> {
  readonly #store: Store;
  readonly #layers: LayerProvider;
  /** Own fields that there is a record of: it need not be written again. */
  readonly #known = new Set<Digest>();

  constructor(store: Store, layers: LayerProvider) {
    this.#store = store;
    this.#layers = layers;
  }

  async knows({ own }: Key): Promise<boolean> {
    if ((await this.#store.records.get(ownName(own))) !== undefined) this.#known.add(own);
    return this.#known.has(own);
  }

  async lookup(kind: 'definition' | 'content', key: Key, inputs: readonly Result[]): Promise<Result | undefined> {
    const record = await this.#store.records.get(nameOfKey(kind, key));
    if (!record || record.kind !== kind) return undefined;
    // The same definition on other inputs (one was made again, with another result) is another question: the content key answers it.
    if (kind === 'definition' && String(record.inputs) !== String(namesOf(inputs))) return undefined;
    if (!(await this.#layers.available(record.layer))) return undefined;
    return stack(asFilesystem(inputs[0]), new Layer(record.layer));
  }

  async record(kind: 'definition' | 'content', key: Key, inputs: readonly Result[], result: Result): Promise<void> {
    const layer = layerUnder(asFilesystem(result), 0);
    if (!layer) throw new Error('a step gave no layer');
    const record: CacheRecord = {
      version: 1,
      kind,
      fields: key.fields,
      inputs: namesOf(inputs),
      layer: layer.diffID,
      created: new Date().toISOString(),
    };
    await this.#store.records.put(nameOfKey(kind, key), record);
    if (this.#known.has(key.own)) return;
    this.#known.add(key.own);
    await this.#store.records.put(ownName(key.own), { ...record, fields: [] });
  }
}

const nameOfKey = (kind: 'definition' | 'content', key: Key): Digest => digestOf(`${kind}\n${key.digest}`);

/** A record under the own fields alone says that there is any with them. */
const ownName = (own: Digest): Digest => digestOf(`own\n${own}`);

/** Contexts have no name: what was selected of them is in the key itself. */
const namesOf = (inputs: readonly Result[]): CacheRecord['inputs'] =>
  inputs.flatMap((input) => (input.kind === 'filesystem' ? [nameOf(input)] : []));
