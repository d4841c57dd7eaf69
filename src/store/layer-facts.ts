import { join } from 'node:path';
import type { Descriptor } from '../oci/descriptor.ts';
import { type DiffID, type Digest, hexOf } from '../oci/digest.ts';
import { readSealed, sealed } from './checked-file.ts';
import type { TemporaryFiles } from './temporary-files.ts';

/** What is known of a layer. */
export interface LayerFacts {
  readonly diffID: DiffID;
  /** Length of the uncompressed tar. */
  readonly size: number;
  /** Entries in the tar: 0 is an empty layer. */
  readonly entries: number;
  /** When the layer was first made; ISO 8601. */
  readonly created: string;
  /** Its compressed forms, the first made first. Whether the store has the bytes is for the blobs to say. */
  readonly blobs: readonly Descriptor[];
  /** Secrets that it was searched for and does not hold, by keyed digests. */
  readonly searched?: readonly Digest[];
}

/** Facts of layers, by diffID. */
export interface LayerFactsStore {
  get(diffID: DiffID): Promise<LayerFacts | undefined>;
  /** Adds to what is known, and gives that: the first `created` stays, `blobs` and `searched` are joined. */
  put(facts: LayerFacts): Promise<LayerFacts>;
}

/** Facts in the files of `layers/`. */
export class LayerFactsFiles implements LayerFactsStore {
  readonly #directory: string;
  readonly #temporary: TemporaryFiles;

  constructor(root: string, temporary: TemporaryFiles) {
    this.#directory = join(root, 'layers');
    this.#temporary = temporary;
  }

  async get(diffID: DiffID): Promise<LayerFacts | undefined> {
    const facts = (await readSealed(this.#path(diffID))) as LayerFacts | undefined;
    return facts?.diffID === diffID ? facts : undefined;
  }

  async put(facts: LayerFacts): Promise<LayerFacts> {
    // Two processes that make the same layer at the same time must agree on `created`, or their images differ: the first link wins.
    const before = await this.get(facts.diffID);
    if (!before && (await this.#temporary.writeNew(this.#path(facts.diffID), await sealed(facts)))) return facts;
    const known = before ?? (await this.get(facts.diffID));
    const joined = known ? merge(known, facts) : facts;
    // A blob that another process adds in this moment may be forgotten: it is then compressed again, to the same bytes.
    if (joined !== known) await this.#temporary.write(this.#path(facts.diffID), await sealed(joined), { sync: false });
    return joined;
  }

  #path(diffID: DiffID): string {
    return join(this.#directory, `${hexOf(diffID)}.json`);
  }
}

/** `known` itself when `facts` has nothing new. */
function merge(known: LayerFacts, facts: LayerFacts): LayerFacts {
  const added = facts.blobs.filter((blob) => !known.blobs.some(({ digest }) => digest === blob.digest));
  const searched = new Set([...(known.searched ?? []), ...(facts.searched ?? [])]);
  if (added.length === 0 && searched.size === (known.searched?.length ?? 0)) return known;
  return { ...known, blobs: [...known.blobs, ...added], ...(searched.size > 0 && { searched: [...searched] }) };
}
