import type { SecretOption } from './build-options.ts';
import type { SecretPatterns } from './secret/guard.ts';
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

const decode = (text: string): Buffer => Buffer.from(text, 'base64');
