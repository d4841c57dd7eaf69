import { lowerFiles } from '../copy-files.ts';
import { booleanFlag, textFlag } from '../flags.ts';
import { isRemote } from '../remote-source.ts';
import { invalid, rangeOfArg, type Step } from '../step.ts';

/** COPY. */
export function lowerCopy(step: Step): void {
  const from = textFlag(step, 'from');
  if (from && /\$./.test(from.value)) {
    throw invalid(step, 'variables are not expanded in "--from"', {
      range: from.range,
      hint: 'name a stage of that image instead: ARG before the first FROM, then FROM $IMAGE AS name',
    });
  }
  lowerFiles(step, {
    from,
    parents: booleanFlag(step, 'parents') ?? false,
    unpack: false,
    checkSource(source, index) {
      if (!isRemote(source)) return;
      throw invalid(step, 'COPY cannot fetch a URL or a git repository', { range: rangeOfArg(step, index), hint: 'ADD takes both' });
    },
  });
}
