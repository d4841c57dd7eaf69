import { plainList } from '../go-format.ts';
import { addHistory } from '../stage-state.ts';
import { expandArg, invalid, rangeOfArg, requireArgs, type Step } from '../step.ts';

/** VOLUME: a word of the config only; what later steps write there is kept. */
export function lowerVolume(step: Step): void {
  requireArgs(step, 1);
  const { instruction, state } = step;
  const paths = instruction.args.map((_, index) => {
    const path = expandArg(step, index).trim();
    if (path === '') throw invalid(step, 'a path of VOLUME is empty', { range: rangeOfArg(step, index) });
    return path;
  });
  state.config = { ...state.config, Volumes: { ...state.config.Volumes, ...Object.fromEntries(paths.map((path) => [path, {}])) } };
  addHistory(state, `VOLUME ${plainList(paths)}`);
}
