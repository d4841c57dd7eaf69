import { lowerFiles } from '../copy-files.ts';
import { booleanFlag, textFlag } from '../flags.ts';
import { invalid, rangeOfArg, type Step, unsupported } from '../step.ts';

const gitSource = /^(?:git|ssh):\/\/|^[\w.-]+@[\w.-]+:|^https?:\/\/[^?#]+\.git(?:[?#]|$)/;

/** ADD: as COPY, but a local archive is unpacked. */
export function lowerAdd(step: Step): void {
  lowerFiles(step, {
    from: undefined,
    parents: false,
    unpack: booleanFlag(step, 'unpack') ?? true,
    checkSource: (source, index) => requireLocal(step, source, index),
  });
  const checksum = textFlag(step, 'checksum');
  if (checksum) throw invalid(step, '"--checksum" is for a source that is a URL', { range: checksum.range });
}

function requireLocal(step: Step, source: string, index: number): void {
  const range = rangeOfArg(step, index);
  if (gitSource.test(source)) {
    throw unsupported(step, 'ADD of a git repository is not built yet', { range, hint: 'use git in a RUN, or clone it into the context' });
  }
  if (/^https?:\/\//.test(source)) {
    throw unsupported(step, 'ADD of a URL is not built yet', { range, hint: `use curl in a RUN: RUN curl -fsSLO ${source}` });
  }
}
