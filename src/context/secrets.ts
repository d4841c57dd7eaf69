import { BuildError } from '../diagnostics/build-error.ts';
import { readBounded } from './read-bounded.ts';

/** Where the value of `--secret id=…` comes from. */
export interface SecretSource {
  readonly id: string;
  readonly source: { readonly file: string } | { readonly value: string };
}

/** The longest secret, in bytes. Source: BuildKit, session/secrets, `MaxSecretSize`. */
export const maxSecretBytes = 500 * 1024;

/** The values of `--secret`, by id; of two with one id the last counts. Throws SECRET_MISSING for one that cannot be read or is too long. */
export async function readSecrets(options: readonly SecretSource[]): Promise<ReadonlyMap<string, Buffer>> {
  const values = await Promise.all(options.map(async (option) => [option.id, await readSecret(option)] as const));
  return new Map(values);
}

async function readSecret({ id, source }: SecretSource): Promise<Buffer> {
  const value = 'value' in source ? Buffer.from(source.value) : await readSecretFile(id, source.file);
  if (value && value.length <= maxSecretBytes) return value;
  throw new BuildError('SECRET_MISSING', `the secret "${id}" is larger than ${maxSecretBytes} bytes`, {
    hint: 'a secret is a key or a token; large files belong into the context or a bind mount',
  });
}

/** A device or a huge file is found too long, and never read whole. */
async function readSecretFile(id: string, file: string): Promise<Buffer | undefined> {
  try {
    return await readBounded(file, maxSecretBytes);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new BuildError('SECRET_MISSING', `the file "${file}" of the secret "${id}" cannot be read: ${reason}`, {
      hint: `write --secret id=${id},src=FILE, or --secret id=${id},env=NAME for a variable`,
      cause: error,
    });
  }
}
