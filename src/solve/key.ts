import { type Digest, digestOf } from '../oci/digest.ts';

/** One thing that a key stands for: its name, and the digest of its value. */
export type Field = readonly [name: string, digest: Digest];

/**
 * A cache key as a record: the fields are kept, so that two keys can be compared field by field. `own` is the digest of the step's own
 * fields, without its inputs.
 */
export interface Key {
  readonly own: Digest;
  readonly digest: Digest;
  readonly fields: readonly Field[];
}

/** Enters every key: raise it when what a step puts out changes with the same fields. */
const formatVersion = 'cooper key 1';

/** Digests a value that is plain data. JSON frames every string by quotes and escapes, so no two values give the same bytes. */
export const field = (name: string, value: unknown): Field => [name, digestOf(JSON.stringify(value) ?? 'undefined')];

/** The key of a step: its own fields, then what its inputs are known by. */
export function makeKey(own: readonly Field[], inputs: readonly Field[]): Key {
  const fields = [...own, ...inputs];
  return { own: hashFields(own), digest: hashFields(fields), fields };
}

/** Names are ours and digests have one length; the names are framed all the same, as JSON. */
const hashFields = (fields: readonly Field[]): Digest => digestOf(JSON.stringify([formatVersion, fields]));
