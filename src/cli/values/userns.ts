import { BuildError } from '../../diagnostics/build-error.ts';
import { nearest } from '../../diagnostics/suggest.ts';
import type { UserNamespace } from '../../worker/protocol.ts';

const modes = ['auto', 'host'] as const;

/** Reads `--userns`, or the variable that stands for it. Throws ARG_INVALID. */
export function parseUserNamespace(text: string, name = '--userns'): UserNamespace {
  const mode = modes.find((known) => known === text);
  if (mode) return mode;
  const near = nearest(text, modes);
  const hint = near ? `did you mean "${near}"?` : 'it is auto, or host';
  throw new BuildError('ARG_INVALID', `"${name}" is "${text}", which is no mode`, { hint });
}
