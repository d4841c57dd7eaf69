import type { SecretOption } from './build-options.ts';
import type { Digest } from './oci/digest.ts';
import type { SecretPatterns } from './secret/guard.ts';
import type { Store } from './store/store.ts';
import type { Worker } from './worker/worker.ts';

/** Gives the values to the worker, and tells how they may be written. With `scan`, no layer that is made from now on may hold one. */
export async function giveSecrets(
  values: ReadonlyMap<string, Buffer>,
  options: readonly SecretOption[],
  worker: Worker,
  { scan: begins }: { readonly scan: boolean },
  signal: AbortSignal,
): Promise<readonly SecretPatterns[]> {
  const all: SecretPatterns[] = [];
  for (const [id, value] of values) {
    const { scan = true } = options.findLast((option) => option.id === id) ?? {};
    const given = await worker.call('secret.put', { id, base64: value.toString('base64'), scan: scan && begins }, { signal });
    all.push({ id, scan, forms: given.forms.map(decode), lines: given.lines.map(decode) });
  }
  return all;
}

/** Keyed digests of the values that are searched for: what is known of older layers is known by these. */
export async function searchDigests(
  values: ReadonlyMap<string, Buffer>,
  patterns: readonly SecretPatterns[],
  store: Store,
): Promise<readonly Digest[]> {
  const searched = patterns.filter(({ scan, forms }) => scan && forms.length > 0);
  if (searched.length === 0) return [];
  const digest = await store.keyedDigest();
  // The empty id is nobody's: these digests are no part of any key.
  return searched.map(({ id }) => digest('', values.get(id) ?? Buffer.alloc(0)));
}

/** Keyed digests of the values that say "invalidate". */
export async function digestsOf(
  values: ReadonlyMap<string, Buffer>,
  options: readonly SecretOption[],
  store: Store,
): Promise<ReadonlyMap<string, Digest>> {
  const wanted = [...values].filter(([id]) => options.findLast((option) => option.id === id)?.invalidate);
  if (wanted.length === 0) return new Map();
  const digest = await store.keyedDigest();
  return new Map(wanted.map(([id, value]) => [id, digest(id, value)]));
}

const decode = (text: string): Buffer => Buffer.from(text, 'base64');
