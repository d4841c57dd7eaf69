import { plainList } from '../go-format.ts';
import { addHistory } from '../stage-state.ts';
import { expandArg, invalid, rangeOfArg, type Step } from '../step.ts';

/** VOLUME: a word of the config only; what later steps write there is kept. */
export function lowerVolume(step: Step): void {
  const { instruction, state } = step;
  const paths = instruction.args.map((_, index) => {
    const path = expandArg(step, index);
    if (path === '') throw invalid(step, 'a path of VOLUME is empty', { range: rangeOfArg(step, index) });
    return path;
  });
  for (const path of paths) state.named.volumes.add(path);
  addHistory(state, `VOLUME ${plainList(paths)}`);
}
