import { BuildError } from '../../diagnostics/build-error.ts';
import { nearest } from '../../diagnostics/suggest.ts';
import type { NetworkMode } from '../../graph/spec.ts';

const modes = ['default', 'none', 'host'] as const;

/** Reads `--network`. `bridge` is Docker's name for the default. Throws ARG_INVALID. */
export function parseNetwork(text: string): NetworkMode {
  const name = text === 'bridge' ? 'default' : text;
  const mode = modes.find((known) => known === name);
  if (mode) return mode;
  const near = nearest(text, modes);
  const hint = near ? `did you mean "${near}"?` : 'write --network default, none or host';
  throw new BuildError('ARG_INVALID', `"--network ${text}" is no network`, { hint });
}
