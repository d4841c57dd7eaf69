import { resolve } from 'node:path';
import type { CertificatesOption } from '../../build-options.ts';
import { BuildError } from '../../diagnostics/build-error.ts';
import type { Caller } from '../caller.ts';

/** Reads `--ca-certificates[=FILE|DIR]`; paths become absolute. Throws ARG_INVALID. */
export function parseCertificates(text: string | undefined, { directory }: Caller): CertificatesOption {
  if (text === undefined) return {};
  if (text !== '' && !text.includes('\0')) return { source: resolve(directory, text) };
  throw new BuildError('ARG_INVALID', '"--ca-certificates=" needs a file or a directory', {
    hint: "without a value it is this machine's bundle: --ca-certificates",
  });
}
